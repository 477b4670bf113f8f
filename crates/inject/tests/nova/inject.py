"""Runs the real Nova's inject_data (PyPI) on generated guests and prints what it leaves.

    python inject.py SEED COUNT

The output has one injection a line, in the form of tests/golden. Everything that decides
what is done to a guest is Nova's; the guest is a tree in memory behind the calls of
libguestfs that Nova makes, which does what Linux does to root with umask 022.
"""

import base64
import json
import os
import random
import sys
import types
from unittest import mock

os.environ.setdefault('OS_LOG_LEVEL', 'ERROR')


class Node:
    def __init__(self, kind, mode, uid=0, gid=0, data=None):
        self.kind, self.mode, self.uid, self.gid, self.data = kind, mode, uid, gid, data


def fail(why):
    raise RuntimeError(why)


class Tree:
    """A tree of files, with the lookups of Linux `fs/namei.c`."""

    def __init__(self):
        self.root = Node('dir', 0o755, data={})

    def walk(self, path, follow=True):
        """Returns the directories down to the last component, that component, and what it names."""
        above, links = [self.root], 0
        rest = [part for part in path.split('/') if part not in ('', '.')]
        slash = path.endswith(('/', '/.'))
        while rest:
            name = rest.pop(0)
            here = above[-1]
            if here.kind != 'dir':
                fail('ENOTDIR')
            if name == '..':
                if len(above) > 1:
                    above.pop()
                if not rest:
                    return above, '..', above[-1]
                continue
            node = here.data.get(name)
            if node is not None and node.kind == 'link' and (rest or follow or slash):
                links += 1
                if links > 40:
                    fail('ELOOP')
                target = node.data
                if target.startswith('/'):
                    above = [self.root]
                parts = [part for part in target.split('/') if part not in ('', '.')]
                slash = slash or (not rest and target.endswith(('/', '/.')))
                rest = parts + rest
                if not rest:
                    return above, '.', above[-1]
                continue
            if not rest:
                if node is not None and slash and node.kind != 'dir':
                    fail('ENOTDIR')
                return above, name if not slash else name + '/', node
            if node is None:
                fail('ENOENT')
            above.append(node)
        return above, '.', above[-1]

    def existing(self, path):
        node = self.walk(path)[2]
        return node if node is not None else fail('ENOENT')

    def make(self, parent, name, kind, mode, data):
        node = Node(kind, mode, 0, 0, data)
        if parent.mode & 0o2000:
            node.gid = parent.gid
            if kind == 'dir':
                node.mode |= 0o2000
        parent.data[name] = node
        return node

    def open(self, path):
        above, name, node = self.walk(path)
        if name in ('.', '..') or name.endswith('/'):
            fail('EISDIR')
        if path.rsplit('/', 1)[1] in ('', '.', '..'):
            fail('EISDIR')
        if node is None:
            return self.make(above[-1], name, 'file', 0o644, b'')
        if node.kind != 'file':
            fail('EISDIR')
        return node

    def mkdir(self, path):
        path = path.rstrip('/') or '/'
        if path.rsplit('/', 1)[1] in ('.', '..'):
            # It is there if what stands before it is.
            self.existing(path)
            return False
        above, name, node = self.walk(path, follow=False)
        if node is not None:
            return False
        self.make(above[-1], name, 'dir', 0o755, {})
        return True

    def dump(self):
        files = {}

        def add(path, node):
            told = {'type': node.kind, 'uid': node.uid, 'gid': node.gid,
                    'mode': '%04o' % node.mode}
            if node.kind == 'link':
                told['target'] = node.data
            if node.kind == 'file':
                try:
                    told['text'] = node.data.decode()
                except UnicodeDecodeError:
                    told['base64'] = base64.b64encode(node.data).decode()
            files[path or '/'] = told
            if node.kind == 'dir':
                for name, child in sorted(node.data.items()):
                    add(path + '/' + name, child)
        add('', self.root)
        return files


class GuestFS:
    """The calls that Nova makes."""

    tree = None
    script = {}
    calls = []

    def __init__(self, **_):
        self.accounts = {}

    def may_fail(self, call):
        if call in self.script.get('fail', []):
            fail(call)

    def set_backend_settings(self, _):
        return 0

    def add_drive(self, *_):
        pass

    def add_drive_opts(self, *_, **__):
        self.may_fail('add_drive_opts')

    def launch(self):
        self.may_fail('launch')

    def inspect_os(self):
        self.may_fail('inspect_os')
        return self.script.get('roots', [])

    def inspect_get_mountpoints(self, _):
        return [tuple(pair) for pair in self.script.get('mountpoints', [])]

    def mount_options(self, _, device, path):
        self.calls.append(['mount_options', '', device, path])
        self.may_fail('mount:' + path)

    def aug_init(self, *_):
        self.may_fail('aug_init')
        for table in 'passwd', 'group':
            try:
                text = self.tree.existing('/etc/' + table).data.decode()
                for line in text.split('\n'):
                    cells = line.split(':')
                    if len(cells) > 2:
                        self.accounts[table, cells[0]] = cells[2]
            except (RuntimeError, AttributeError, UnicodeDecodeError):
                pass

    def aug_get(self, path):
        _, _, _, table, name, _ = path.split('/')
        found = self.accounts.get((table, name))
        return found if found is not None else fail('no matching node')

    def aug_close(self):
        self.may_fail('aug_close')

    def shutdown(self):
        self.may_fail('shutdown')

    def close(self):
        self.may_fail('close')

    def stat(self, path):
        return self.tree.existing(path)

    def mkdir_p(self, path):
        try:
            made = self.tree.mkdir(path)
        except RuntimeError as error:
            if str(error) != 'ENOENT' or path.rstrip('/').rfind('/') <= 0:
                raise
            self.mkdir_p(path.rstrip('/').rsplit('/', 1)[0])
            made = self.tree.mkdir(path)
        # libguestfs 1.48 looks at a link itself and refuses; what Nova was recorded over follows it.
        if not made and self.tree.existing(path).kind != 'dir':
            fail('ENOTDIR')

    def chown(self, uid, gid, path):
        if max(uid, gid) > 0x7fffffff:
            raise OverflowError
        node = self.tree.existing(path)
        node.uid, node.gid = uid, gid

    def chmod(self, mode, path):
        self.tree.existing(path).mode = mode

    def write(self, path, content):
        self.tree.open(path).data = content.encode() if isinstance(content, str) else content

    def write_append(self, path, content):
        self.tree.open(path).data += content.encode() if isinstance(content, str) else content

    def read_file(self, path):
        node = self.tree.existing(path)
        return node.data if node.kind == 'file' else fail('EISDIR')


sys.modules['guestfs'] = types.SimpleNamespace(GuestFS=GuestFS)

from nova.virt.disk import api  # noqa: E402
from nova.virt.disk.vfs import api as vfs  # noqa: E402
from nova.virt.image import model  # noqa: E402


class Maker:
    """Makes guests and items by chance."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, much=0.5):
        return self.random.random() < much

    def owner(self):
        return self.random.choice([0, 0, 0, 5, 1000])

    def put(self, tree, path, node):
        try:
            above, name, found = tree.walk(path, follow=False)
        except RuntimeError:
            return
        if found is None and above[-1].kind == 'dir':
            above[-1].data[name] = node

    def directory(self, tree, path, much=0.8):
        if not self.chance(much):
            return
        choice = self.random.random()
        if choice < 0.75:
            mode = self.random.choice([0o755, 0o755, 0o700, 0o777, 0o2775, 0o1777])
            node = Node('dir', mode, self.owner(), self.owner(), {})
        elif choice < 0.85:
            node = self.file(b'in the way\n')
        else:
            node = self.link(path)
        self.put(tree, path, node)

    def link(self, path):
        return Node('link', 0o777, 0, 0, self.random.choice([
            '/srv', 'srv', '../srv', '../../../../srv/new', '/srv/new', 'loop', path,
            '/nowhere/at/all', '/etc/', '.', '..', '/', '/srv/new/', '/etc/motd', '/etc/motd/',
            '/etc/passwd', 'rc.d/rc.local', '/root/.ssh']))

    def file(self, content):
        mode = self.random.choice([0o644, 0o600, 0o755, 0o666])
        return Node('file', mode, self.owner(), self.owner(), content)

    def text(self, *texts):
        return self.random.choice(texts).encode()

    def leaf(self, tree, path, content, much=0.6):
        if not self.chance(much):
            return
        choice = self.random.random()
        if choice < 0.75:
            node = self.file(content)
        elif choice < 0.85:
            node = Node('dir', 0o755, 0, 0, {})
        else:
            node = self.link(path)
        self.put(tree, path, node)

    def guest(self):
        tree = Tree()
        if self.chance(0.1):
            tree.root.mode, tree.root.gid = 0o2755, 9
        self.put(tree, '/etc', Node('dir', 0o755, 0, 0, {}))
        if self.chance(0.9):
            self.put(tree, '/srv', Node('dir', 0o755, self.owner(), self.owner(), {}))
        passwd = self.random.choice([
            b'root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/sh\n',
            b'root:x:0:0:::', b'# c\n\nroot:x:7:0:::\n', b'root::5000000000:0:::\n',
            b'daemon:x:1:1:::\n', b'root:x:0:0:::\nfred:x:1000:1000:\xc3\xa9:/:\n', b''])
        group = self.random.choice([b'root:x:0:\n', b'root:x:0:', b'root::8:a,b\n',
                                    b'wheel:x:0:\n', b'', b'root:x:4294967295:\n'])
        shadow = self.text('root:!:1:0:99999:7:::\nfred:$6$x$y:1::::::\n', 'root::1', 'root:',
                           'root', '# c\n\nroot::1:::\nroot:x:2:::::\r\ntoor:x', 'fred:x:1\n',
                           'root:x\nroot\n', 'root:é:1\r\n', '', 'roo\nroot:')
        if self.chance(0.1):
            shadow += b'\xff'
        if self.chance(0.85):
            self.put(tree, '/etc/passwd', self.file(passwd))
        if self.chance(0.9):
            self.put(tree, '/etc/group', self.file(group))
        self.leaf(tree, '/etc/shadow', shadow, 0.95)
        self.leaf(tree, '/etc/motd', b'welcome\n')
        self.directory(tree, '/root', 0.9)
        self.directory(tree, '/root/.ssh', 0.5)
        self.leaf(tree, '/root/.ssh/authorized_keys', self.text('', 'ssh-rsa OLD', 'a\n'))
        self.directory(tree, '/etc/selinux', 0.6)
        self.directory(tree, '/etc/rc.d', 0.4)
        script = self.text('#!/bin/sh -e\nexit 0\n', '', 'x')
        self.leaf(tree, '/etc/rc.d/rc.local', script, 0.5)
        self.leaf(tree, '/etc/rc.local', script, 0.5)
        self.directory(tree, '/etc/network', 0.5)
        self.leaf(tree, '/etc/network/interfaces', b'long\n' * 40)
        self.leaf(tree, '/meta.js', b'{}', 0.2)
        self.directory(tree, '/opt', 0.5)
        return tree

    def path(self):
        parts = ['etc', 'etc', 'opt', 'root', 'srv', 'motd', 'new', 'a', '..', '.', '', 'passwd',
                 'group', 'shadow', 'x y', 'é', '.ssh', 'rc.d']
        path = '/'.join(self.random.choice(parts) for _ in range(self.random.randrange(1, 5)))
        return ('/' if self.chance(0.8) else '') + path

    def items(self):
        items = {}
        if self.chance():
            items['key'] = self.random.choice(
                ['ssh-rsa AAAA me', ' \t\u00a0ssh-rsa é\u2003\u001c\n', '', ' ', 'a\nb\n'])
        if self.chance():
            items['net'] = self.random.choice(['auto lo\n', '', '# é'])
        if self.chance():
            items['metadata'] = self.random.choice(
                [{}, {'b': '1', 'a': 'é"\\\n\u007f\U0001f600'}, {'': ''}])
        if self.chance():
            items['admin_password'] = self.random.choice(
                ['pw', '', 'é' * 9, 'a' * 511, 'a' * 512, 'x:y', 'sixteen chars ok'])
        if self.chance(0.7):
            items['files'] = [{'path': self.path(), 'text': self.random.choice(['', 'x\n', 'é'])}
                              for _ in range(self.random.randrange(4))]
        return items

    def case(self, name):
        case = {'inject': self.items()}
        names = ['key', 'net', 'metadata', 'admin_password', 'files']
        if self.chance(0.4):
            case['mandatory'] = self.random.sample(names, self.random.randrange(1, 3))
        case['partition'] = self.random.choice([None, None, None, -1, 1, 3])
        script = {}
        if case['partition'] == -1:
            script['roots'] = self.random.choice([['/dev/sda1']] * 4 + [[], ['/dev/sda1', 'b']])
            paths = self.random.sample(['/', '/', '/usr', '/usr-b', '/usr/c', '/boot', '/var'], 3)
            script['mountpoints'] = [['/', '/dev/sda1']] * self.chance(0.7) + [
                [path, '/dev/sda%d' % number]
                for number, path in enumerate(dict.fromkeys(paths), 2) if path != '/']
            if self.chance(0.1):
                script['mountpoints'] = []
        if self.chance(0.2):
            script['fail'] = [self.random.choice(
                ['launch', 'inspect_os', 'aug_init', 'mount:/', 'mount:/usr', 'mount:/boot',
                 'aug_close', 'shutdown', 'close', 'add_drive_opts'])]
        if script:
            case['appliance'] = script
        return case


def run(name, case, tree):
    recorded = {'name': name, 'input': case, 'before': tree.dump()}
    GuestFS.tree, GuestFS.script, GuestFS.calls = tree, case.get('appliance', {}), []
    items = dict(case['inject'])
    if 'files' in items:
        items['files'] = [(file['path'], file['text'].encode()) for file in items['files']]
    image = model.LocalFileImage('/i/disk', model.FORMAT_QCOW2)
    try:
        with mock.patch.object(api, '_generate_salt', lambda: 'abcdefghijklmnop'):
            recorded['result'] = api.inject_data(
                image, partition=case['partition'], mandatory=case.get('mandatory', ()), **items)
    except Exception as error:
        recorded['raised'] = type(error).__name__
    recorded['after'] = tree.dump()
    recorded['guestfs_calls'] = GuestFS.calls
    return recorded


def main():
    seed, count = map(int, sys.argv[1:])
    vfs.VFS.guestfs_ready = True
    for number in range(count):
        name = '%d/%d' % (seed, number)
        maker = Maker(name)
        print(json.dumps(run(name, maker.case(name), maker.guest())))


main()
