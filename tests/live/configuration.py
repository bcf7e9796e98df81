"""Configuration texts. Each takes the World and gives a whole file."""

ENGINE = '''scanner {{
  engine   = 'libclamav'
  database = '{base}/db'
  timeout  = 60
}}
'''

HEAD = '''scp_program       = '/usr/bin/scp'
inspector_program = '{base}/bin/inspector'
audit {{
  to         = {{'file:{audit}'}}
  sha256     = true
  on_failure = '{on_failure}'
}}
{scanner}spool {{
  memory = '{memory}'
  folder = '{spool}'
  limit  = '{limit}'
}}
'''


def whole(live, gate, policy, audit=None, on_failure='refuse', scanner=None, memory='64M', spool=None, limit='1G'):
    """A file with this policy text ({home} and {user} are filled in); gate names the audit file."""
    values = {'base': live.base, 'home': live.home, 'user': live.user}
    return HEAD.format(audit=audit or f'{live.base}/audit/{gate}.jsonl', on_failure=on_failure, memory=memory, limit=limit,
                       spool=spool or f'{live.base}/spool', scanner=(scanner or ENGINE).format(**values), **values) + fill(policy, values)


def fill(text, values):
    for name, value in values.items():
        text = text.replace('{' + name + '}', value)
    return text


def policy(body, name='live', root='%h', more='', protocols="'scp'"):
    return f'''policy '{name}' {{
  user      = {{'{{user}}'}}
  protocols = {{{protocols}}}
  root      = '{root}'
{more}{body}}}
'''


def path_only(live):
    return whole(live, 'path', policy('''
  upload   { block 'never' { name = {'*.never'} } }
  download { block 'never' { path = {'**/never/**'} } }
'''))


def content(live):
    rules = '''{
    block 'programs' { type  = {'application/x-dosexec'} }
    block 'malware'  { virus = {'*'} }
  }
'''
    return whole(live, 'content', policy(f"  upload {rules}  download {rules}"))


def stream(live):
    rules = '''{
    block 'programs' { type  = {'application/x-dosexec'} }
    block 'malware'  { virus = {'*'} }
  }
'''
    return whole(live, 'stream', policy(f"  upload {rules}  download {rules}", more="  delivery  = 'stream'\n"))


EVERYTHING = "  operations = {'list', 'stat', 'mkdir', 'rename', 'remove', 'attributes', 'link', 'replace'}\n"
BOTH = "'scp', 'sftp'"


def both(body, more='', **how):
    """A policy for both protocols that permits all operations."""
    return policy(body, more=EVERYTHING + more, protocols=BOTH, **how)


def table(live):
    """Every kind of rule, in both directions."""
    rules = """
    allow 'site'        { path = {'**/public_html/**'} }
    block 'logs'        { path = {'**/logs/**'} }
    block 'executables' { type = {'application/x-executable', 'application/x-pie-executable', 'application/x-sharedlib', 'application/x-dosexec'} }
    block 'disguised'   { type_mismatch = true }
    block 'malware'     { virus = {'*'} }
    block 'unseen'      { unscannable = {'encrypted'} }
    block 'huge'        { larger_than = '1M' }
    block 'runnable'    { mode = '0111' }
    watch 'archives'    { type = {'application/zip'} }
    watch 'odd'         { name = {'*.odd'} }
"""
    return whole(live, 'table', both(f"""
  upload   {{ block 'scripts' {{ name = {{'*.php'}} }} {rules}  }}
  download {{ block 'keys' {{ name = {{'*.key'}} }} {rules}  }}
""", more="  on_block = 'skip'\n"))


def sftp_path(live):
    return whole(live, 'sftp-path', both("""
  upload   { block 'never' { name = {'*.never'} } }
  download { block 'never' { path = {'**/never/**'} } }
"""))


def sftp_type(live):
    rules = "{ block 'programs' { type = {'application/x-dosexec'} } }\n"
    return whole(live, 'sftp-type', both(f'  upload {rules}  download {rules}'))


def sftp_virus(live):
    rules = "{ block 'malware' { virus = {'*'} } }\n"
    return whole(live, 'sftp-virus', both(f'  upload {rules}  download {rules}'))
