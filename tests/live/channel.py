"""A client whose window is small and that reads only when it is told to, and that can send what ssh has no word for."""
import socket
import warnings

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # about ciphers that are not used here
    import paramiko


class Channel:
    """One exec request."""

    def __init__(self, gate, command):
        live = gate.world
        self.link = paramiko.Transport(socket.create_connection(('127.0.0.1', gate.port), 10))
        self.link.start_client(timeout=30)
        self.link.auth_publickey(live.user, paramiko.Ed25519Key.from_private_key_file(f'{live.base}/keys/user'))
        self.channel = self.link.open_session(window_size=32768, max_packet_size=32768)
        self.channel.settimeout(10)
        self.channel.exec_command(command)

    def close(self):
        self.link.close()

    def say(self, data):
        self.channel.sendall(data)

    def hear(self, count):
        got = b''
        while len(got) < count:
            more = self.channel.recv(count - len(got))
            if not more:
                break
            got += more
        return got

    def fill(self, data):
        """Says data again and again until nobody takes it any more."""
        self.channel.settimeout(0.7)
        at = 0
        try:
            while True:
                at = (at + self.channel.send(data[at:at + 32768])) % len(data)
        except socket.timeout:
            pass

    def signal(self, name):
        request = paramiko.Message()
        request.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
        request.add_int(self.channel.remote_chanid)
        request.add_string('signal')
        request.add_boolean(False)
        request.add_string(name)
        self.link._send_user_message(request)
