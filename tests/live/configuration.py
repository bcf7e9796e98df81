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


def policy(body, name='live', root='%h', more=''):
    return f'''policy '{name}' {{
  user      = {{'{{user}}'}}
  protocols = {{'scp'}}
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
