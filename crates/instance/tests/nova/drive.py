"""Runs the real Nova (PyPI) on generated cases and prints what its drives hold.

    python drive.py SEED COUNT

The output has one case a line, in the form of tests/golden, and in `injected` the text of
the network template as it goes into an image, by virt type: null for none, false where
Nova fails. Objects that would need a
database or Neutron are stand-ins; everything that makes a byte of a document is Nova's.
"""

import base64
import json
import os
import random
import sys
import tempfile
from types import SimpleNamespace
from unittest import mock

os.environ.setdefault('OS_LOG_LEVEL', 'ERROR')

import nova.conf  # noqa: E402
from keystoneauth1 import exceptions as ks_exceptions  # noqa: E402
from nova import objects  # noqa: E402
from nova.api.metadata import base  # noqa: E402
from nova.api.metadata import vendordata_dynamic  # noqa: E402
from nova.network import model  # noqa: E402
from nova.objects import virt_device_metadata as devices  # noqa: E402
from nova.virt import netutils  # noqa: E402
from nova.virt.ironic import driver as ironic  # noqa: E402

CONF = nova.conf.CONF


class Instance(dict):
    """What the metadata code reads of an instance."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name)

    def obj_to_primitive(self):
        return self

    def get_bdms(self):
        return self['bdms']

    def get_flavor(self):
        return self['flavor']


BUSES = {'pci': devices.PCIDeviceBus, 'usb': devices.USBDeviceBus,
         'scsi': devices.SCSIDeviceBus, 'ide': devices.IDEDeviceBus,
         'xen': devices.XenDeviceBus}


def make_device(case):
    values = {}
    for name in ('mac', 'vlan', 'serial', 'path', 'share_id', 'tag', 'tags'):
        if name in case:
            values[name] = case[name]
    if 'trusted' in case:
        values['vf_trusted'] = case['trusted']
    if 'bus' in case:
        address = {'address': case['address']} if 'address' in case else {}
        values['bus'] = BUSES.get(case['bus'], devices.DeviceBus)(
            **(address if case['bus'] in BUSES else {}))
    kind = {'nic': devices.NetworkInterfaceMetadata,
            'disk': devices.DiskMetadata,
            'share': devices.ShareMetadata}.get(case['kind'])
    if kind is None:
        return devices.DeviceMetadata(
            **{k: v for k, v in values.items() if k in ('bus', 'tags')})
    return kind(**values)


def make_vif(case):
    network = None
    if case.get('network') is not None:
        subnets = []
        for item in case.get('subnets', []):
            meta = {name: item[name] for name in
                    ('enable_dhcp', 'dhcp_server', 'ipv6_address_mode')
                    if name in item}
            gateway = item.get('gateway')
            subnets.append(model.Subnet(
                cidr=item['cidr'],
                dns=[model.IP(address=a, type='dns') for a in item.get('dns', [])],
                gateway=model.IP(address=gateway, type='gateway') if gateway else None,
                ips=[model.FixedIP(
                    address=ip['address'],
                    floating_ips=[model.IP(address=f, type='floating')
                                  for f in ip.get('floating', [])])
                     for ip in item.get('ips', [])],
                routes=[model.Route(
                    cidr=r['to'], gateway=model.IP(address=r['via'], type='gateway'))
                    for r in item.get('routes', [])],
                **meta))
        known = case['network']
        meta = {'injected': known.get('injected', CONF.flat_injected)}
        if 'mtu' in known:
            meta['mtu'] = known['mtu']
        network = model.Network(
            id=known.get('id'), bridge=known.get('bridge'), label=known.get('label'),
            subnets=subnets, **meta)
    return model.VIF(id=case['id'], address=case['mac'], network=network,
                     type=case.get('type'), devname=case.get('device'),
                     vnic_type=case.get('vnic_type', 'normal'))


def content_bytes(case):
    if 'text' in case:
        return case['text'].encode()
    return base64.b64decode(case['base64'])


def ec2_id(kind, number):
    return '%s-%08x' % (kind, number)


def make_instance(case):
    image = case.get('image') or {}
    numbers = case.get('ec2', {})
    key = case.get('key')
    user_data = case.get('user_data')
    tagged = None
    if 'devices' in case:
        tagged = SimpleNamespace(devices=[make_device(d) for d in case['devices']])
    numa = None
    if 'numa' in case:
        numa = SimpleNamespace(cells=[
            SimpleNamespace(pcpuset=set(c.get('dedicated', []))) for c in case['numa']])
    keypairs = []
    if key and not key.get('deleted'):
        keypairs = [SimpleNamespace(name=key['name'], type=key.get('type', 'ssh'),
                                    public_key=key['public_key'])]
    return Instance(
        uuid=case['uuid'],
        display_name=case['name'],
        hostname=case['hostname'],
        project_id=case.get('project_id'),
        reservation_id=case.get('reservation_id'),
        launch_index=case.get('launch_index', 0),
        availability_zone=case.get('availability_zone'),
        image_ref=image.get('id'),
        ec2_ids=SimpleNamespace(
            instance_id=ec2_id('i', numbers.get('instance', 1)),
            ami_id=ec2_id('ami', numbers.get('image', 1)) if image.get('id') else None,
            kernel_id=ec2_id('aki', numbers['kernel']) if image.get('kernel_id') else None,
            ramdisk_id=ec2_id('ari', numbers['ramdisk'])
            if image.get('ramdisk_id') else None),
        flavor={'name': case['flavor']['name']},
        key_name=key['name'] if key else None,
        key_data=key['public_key'] if key else None,
        keypairs=keypairs,
        user_data=None if user_data is None
        else base64.b64encode(content_bytes(user_data)).decode(),
        metadata=case.get('metadata', {}),
        system_metadata=case.get('system_metadata', {}),
        root_device_name=case.get('root_device'),
        default_ephemeral_device=case.get('default_ephemeral_device'),
        default_swap_device=case.get('default_swap_device'),
        bdms=[SimpleNamespace(
            source_type=d.get('source'), destination_type=d.get('destination'),
            device_name=d.get('device'), guest_format=d.get('format'))
            for d in case.get('block_devices', [])],
        device_metadata=tagged,
        numa_topology=numa)


def bare_metal_network(case, network_info):
    def ironic_object(item, **values):
        return SimpleNamespace(
            id=item['id'], address=item.get('mac'), extra={},
            internal_info={'tenant_vif_port_id': item['vif']} if item.get('vif') else {},
            **values)
    ports = [ironic_object(p, port_group_id=p.get('port_group')) for p in case['ports']]
    groups = [ironic_object(g, mode=g.get('mode'), properties=g.get('properties', {}))
              for g in case['port_groups']]
    stand_in = SimpleNamespace(ironic_connection=SimpleNamespace(
        ports=lambda **_: ports, port_groups=lambda **_: groups))
    return ironic.IronicDriver._get_network_metadata(
        stand_in, SimpleNamespace(id='node'), network_info)


class Session:
    def __init__(self, services, requests):
        self.services = services
        self.requests = requests

    def request(self, url, method, data, verify, headers, timeout):
        self.requests.append({'url': url, 'method': method, 'body': {'text': data}})
        answer = self.services[url]
        if answer.get('error') == 'connection':
            raise ks_exceptions.ConnectFailure('connection')
        if answer.get('error') == 'http':
            raise ks_exceptions.http.HttpError('http')
        return SimpleNamespace(text=answer['text'])


def encoded(data):
    if isinstance(data, str):
        data = data.encode()
    return {'base64': base64.b64encode(data).decode()}


def run(case):
    requests = []
    with tempfile.TemporaryDirectory() as directory:
        for name, value in case.get('config', {}).items():
            if name == 'injected_network_template' and value:
                path = os.path.join(directory, 'template')
                with open(path, 'w', newline='') as file:
                    file.write(value)
                value = path
            group, _, option = name.rpartition('.')
            CONF.set_override(option, value, group=group or None)
        if 'vendordata_static_text' in case:
            path = os.path.join(directory, 'vendordata')
            with open(path, 'w') as file:
                file.write(case['vendordata_static_text'])
            CONF.set_override('vendordata_jsonfile_path', path, group='api')
        try:
            result = {'injected': {kind: injected(case, kind) for kind in ('kvm', 'lxc')}}
            try:
                result['config_drive'] = drive(case, requests)
            except Exception as error:
                result['config_drive'] = {'error': type(error).__name__,
                                          'vendordata_requests': requests}
            return result
        finally:
            CONF.reset()
            for name in case.get('config', {}):
                group, _, option = name.rpartition('.')
                CONF.clear_override(option, group=group or None)
            CONF.clear_override('vendordata_jsonfile_path', group='api')


def injected(case, virt_type):
    network_info = model.NetworkInfo([make_vif(v) for v in case.get('network', [])])
    try:
        return netutils.get_injected_network_template(
            network_info, libvirt_virt_type=virt_type)
    except Exception:
        return False


def drive(case, requests):
    groups = [{'name': g} for g in case.get('security_groups', [])]
    session = Session(case.get('vendordata_services', {}), requests)
    extra = {}
    if case.get('admin_password'):
        extra['admin_pass'] = case['admin_password']
    patches = [
        mock.patch.object(base.context, 'get_admin_context'),
        mock.patch.object(base.objects, 'Instance', SimpleNamespace(
            obj_from_primitive=lambda primitive: primitive)),
        mock.patch.object(base.security_group_api, 'get_instance_security_groups',
                          lambda *_: groups),
        mock.patch.object(vendordata_dynamic, '_load_ks_session', lambda _: session),
        mock.patch.object(os, 'urandom', lambda n: bytes(i % 256 for i in range(n))),
    ]
    for patch in patches:
        patch.start()
    try:
        network_info = model.NetworkInfo([make_vif(v) for v in case.get('network', [])])
        network_metadata = None
        if 'bare_metal' in case:
            network_metadata = bare_metal_network(case['bare_metal'], network_info)
        metadata = base.InstanceMetadata(
            make_instance(case), extra_md=extra, network_info=network_info,
            network_metadata=network_metadata,
            content=[(f['path'], content_bytes(f)) for f in case.get('files', [])])
        tree = list(metadata.metadata_for_config_drive())
    finally:
        for patch in patches:
            patch.stop()
    return {'files': {path: encoded(data) for path, data in tree},
            'write_order': [path for path, _ in tree],
            'vendordata_requests': requests}


# --- cases ---------------------------------------------------------------

WORDS = ['', 'a', 'web-01', 'é', '虚拟机', '😀', '"q"', "it's", 'a\\b', 'tab\there', 'x' * 80,
         '\x7f', '\x01', '</script>', 'None', 'two words', '\u2028', 'new\nline']

TEMPLATES = [
    '{% for i in interfaces %}{{ i.name }} {{ i.address }}/{{ i.netmask }}\n{% endfor %}\n\n',
    '{% for i in interfaces %}\n{{ loop.index }}: {{ i.broadcast }} {{ i.gateway or "none" }}'
    '{% if not loop.last %},{% endif %}\n{% endfor %}end',
    '{{ use_ipv6 }} {{ libvirt_virt_type }} {{ interfaces|length }}\r\nx\r\n',
    '{% for i in interfaces %}{% for r in i.routes %}{{ r.cidr }} via {{ r.gateway }} '
    '{{ r.network }} {{ r.netmask }}\n{% endfor %}{{ i.routes }}\n{% endfor %}',
    '{% for i in interfaces %}{% if i.dns %}{% for d in i.dns.split() %}DNS{{ loop.index0 }}='
    '{{ d }}\n{% endfor %}{% endif %}{% endfor %}',
    '{# a comment #}\n{% set n = interfaces[0] %}{{ n }}\n',
    '{% for i in interfaces %}{% for k, v in i.items() %}{{ k }}={{ v }};{% endfor %}\n'
    '{% endfor %}',
    '{{ nothing }}|{{ interfaces[0].nothing }}|{{ interfaces[0].address is none }}|'
    '{{ interfaces[0].dns_v6|default("d", true) }}\n',
    '{% macro m(n, d="x") %}[{{ n }}{{ d }}]{% endmacro %}{% for i in interfaces %}'
    '{{ m(i.name) }}{{ m(i.hwaddress|upper, d=1) }}{% endfor %}\n',
    '{%- for i in interfaces -%}  {{ i.name }}  {%- endfor %}\n  {%+ if use_ipv6 %}six'
    '{% else %}four{% endif %}\n',
    '{{ interfaces|map(attribute="name")|join(",") }} '
    '{{ interfaces|selectattr("address")|list|length }} {{ [1, "a", none, true, 1.5] }} '
    '{{ {"k": "v"} }} {{ (1,) }} {{ 7 // 2 }} {{ 7 / 2 }} {{ 2 ** 10 }}\n',
    '{% raw %}{{ raw }}{% endraw %} {{ "%s" | format("x") }} {{ "a" ~ 1 }} {{ "a" in "abc" }}'
    '{{ 1 if use_ipv6 }}|{{ "x" if false }}\n',
    '{% for i in interfaces if i.address %}{{ i.address.replace(".", "-") }} {{ i.name[3:] }}'
    '{% else %}nobody{% endfor %}\n',
    '{{ [none, true, 1]|join(",") }} {{ none ~ "x" }} {{ true ~ "" }} {{ none|string }}\n',
    '{{ "%s"|format(none) }} {{ none|upper }} {{ none|default("x", true) }}'
    '{{ none|default("x") }} {{ none.foo }} {{ True }}{{ False }}{{ None }}\n',
    '{% for i in interfaces|sort(attribute="name", reverse=true) %}{{ i.name }}'
    '{{ loop.cycle("a", "b") }}{{ loop.revindex }}{{ loop.first }}\n{% endfor %}',
    '{% set ns = namespace(n=0) %}{% for i in interfaces %}{% set ns.n = ns.n + 1 %}'
    '{% endfor %}{{ ns.n }}{{ interfaces|groupby("gateway")|length }}\n',
    '{{ "a,b".split(",") }} {{ "  x ".strip() }} {{ "x".join(["a", "b"]) }}'
    '{{ interfaces[0]["name"] }} {{ interfaces[-1].name }} {{ interfaces[99] }}\n',
    '{{ {"b": 1, "a": 2} }}{% for k in {"b": 1, "a": 2} %}{{ k }}{% endfor %} '
    '{{ 1e20 }} {{ 10 ** 20 }} {{ 0.1 + 0.2 }} {{ -7 // 2 }} {{ 1 == 1.0 }}\n',
    '{{ "x" * 3 }} {{ [1] + [2] }} {{ "abc"[::-1] }} {{ [3, 1, 2]|sort }} '
    '{{ [1, 1]|unique|list }} {{ range(3)|list }} {{ "é"|length }}\n',
    '{% filter upper %}abc{% endfilter %}{% set x %}abc{% endset %}{{ x }}'
    '{% with a=1 %}{{ a }}{% endwith %}\n',
    '{%- if true %}\nA\n{%- endif %}\n\nB{# c #}\nX\n{#- c -#}\n Y',
    '{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}hi{% endcall %}\n',
    '{{ interfaces[0].keys()|list }} {{ interfaces[0].get("name") }}'
    '{{ interfaces[0].get("no", "d") }} {{ "%02d"|format(3) }} {{ "{} {x}".format(1, x=2) }}\n',
    '{{ "5"|int + 1 }} {{ "x"|int(7) }} {{ 3.7|round }} {{ [1, 2, 3]|batch(2)|list }} '
    '{{ [true, "x\'y"] }} {% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{% endfor %}\n',
    'a\rb\r\nc\n\n', '', '\n', ' ', '{% continue %}', '{% do 1 %}',
    '{% if %}', '{{ unclosed', '{{ none.x.y }}', '{{ undefined_thing.attribute }}',
    '{{ interfaces.nope() }}', '{% unknown %}', '{{ 1/0 }}', '{{ x|nofilter }}',
]

JSON_TEXTS = [
    '{}', '[]', 'null', '"text"', '42', '-0', '-0.0', '1e400', '[NaN, Infinity, -Infinity]',
    '{"a": 1, "b": 2, "a": 3}', ' { "s" : "\\u00e9\\/\\ud83d\\ude00" } ',
    '{"f": [1.0, 1e16, 1e15, 123456789.123456789, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308]}',
    '{"i": 123456789012345678901234567890}', '{"deep": [[[[{"x": {}}]]]]}', '{"é": "é\x7f"}',
    '', '{', '{"a": 01}', '[1,]', '"\t"', "{'a': 1}", '\ufeff{}', 'nan', '[1 2]', '{"a" 1}',
    '"\\x"', '1.', '.5', '+1', '"\\u12"', '9' * 4300, '9' * 4301,
]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, share=0.5):
        return self.random.random() < share

    def word(self):
        return self.random.choice(WORDS)

    def identifier(self):
        return '%08x-0000-4000-8000-%012x' % (
            self.random.getrandbits(32), self.random.getrandbits(48))

    def mac(self):
        return 'fa:16:3e:%02x:%02x:%02x' % tuple(
            self.random.randrange(256) for _ in range(3))

    def address(self, version):
        if version == 4:
            return '.'.join(str(self.random.randrange(256)) for _ in range(4))
        groups = [self.random.choice(['0', '%x' % self.random.getrandbits(16)])
                  for _ in range(8)]
        return ':'.join(groups) if self.chance() else str(__import__(
            'ipaddress').IPv6Address(':'.join(groups)))

    def cidr(self, version):
        bits = 32 if version == 4 else 128
        prefix = self.random.choice([self.random.randint(0, bits), bits, bits - 1, 24, 8])
        return '%s/%d' % (self.address(version), prefix)

    def subnet(self):
        version = self.random.choice([4, 4, 6])
        subnet = {'cidr': self.cidr(version)}
        if self.chance(0.7):
            subnet['gateway'] = self.address(version)
        if self.chance(0.7):
            subnet['dns'] = [self.random.choice(['192.0.2.2', '192.0.2.3', '2001:db8::53'])
                             for _ in range(self.random.randrange(4))]
        if self.chance(0.4):
            subnet['routes'] = [{'to': self.cidr(version), 'via': self.address(version)}
                                for _ in range(self.random.randrange(3))]
        if self.chance(0.4):
            subnet['enable_dhcp'] = self.chance()
        if self.chance(0.2):
            subnet['dhcp_server'] = self.random.choice(['', self.address(version)])
        if version == 6 and self.chance(0.3):
            subnet['ipv6_address_mode'] = self.random.choice(
                ['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless'])
        if self.chance(0.9):
            subnet['ips'] = [
                dict({'address': self.address(version)},
                     **({'floating': [self.address(4)]} if self.chance(0.3) else {}))
                for _ in range(self.random.randrange(3))]
        return subnet

    def nic(self):
        nic = {'id': self.identifier(), 'mac': self.mac()}
        if self.chance(0.8):
            nic['type'] = self.random.choice(
                ['ovs', 'bridge', 'hw_veb', 'vhostuser', 'macvtap', 'other', 'tap', 'dvs',
                 'hyperv', 'vif', 'binding_failed'])
        if self.chance(0.7):
            nic['device'] = self.random.choice([None, '', 'tap' + self.identifier()[:11]])
        if self.chance(0.95):
            network = {'id': self.identifier(), 'label': self.word()}
            if self.chance():
                network['mtu'] = self.random.choice([1500, 1450, 9000, 1])
            if self.chance(0.8):
                network['injected'] = self.chance(0.7)
            nic['network'] = network
        else:
            nic['network'] = None
        nic['subnets'] = [self.subnet() for _ in range(self.random.choice([0, 1, 1, 2, 2, 3]))]
        return nic

    def device(self):
        kind = self.random.choice(['nic', 'nic', 'disk', 'disk', 'share', 'other'])
        device = {'kind': kind}
        addresses = {'pci': '0000:00:03.0', 'usb': '1:2', 'scsi': '0:0:0:0', 'ide': '0:1',
                     'xen': '000200'}
        if self.chance(0.8):
            device['bus'] = self.random.choice([*addresses, 'weird'])
            if self.chance(0.8) and device['bus'] != 'weird':
                device['address'] = addresses[device['bus']]
        if self.chance(0.6):
            device['tags'] = [self.word() for _ in range(self.random.randrange(3))]
        if kind == 'nic':
            device['mac'] = self.mac()
            if self.chance():
                device['vlan'] = self.random.randrange(4095)
            if self.chance():
                device['trusted'] = self.chance()
        if kind == 'disk':
            for name in ('serial', 'path'):
                if self.chance(0.6):
                    device[name] = self.random.choice([None, self.word()])
        if kind == 'share':
            device['share_id'] = self.identifier()
            device['tag'] = self.word()
        return device

    def block_device(self):
        names = ['/dev/vda', '/dev/vdb', '/dev/vdc', '/dev/xvda1', 'sdb', None]
        return {'source': self.random.choice(['blank', 'blank', 'image', 'volume', 'snapshot']),
                'destination': self.random.choice(['local', 'local', 'volume']),
                'device': self.random.choice(names),
                'format': self.random.choice(['swap', 'ext4', None])}

    def case(self):
        choice = self.random.choice
        case = {'uuid': self.identifier(), 'name': self.word(), 'hostname': choice(
                    ['web', 'a.b', 'é']),
                'flavor': {'name': self.word()},
                'ec2': {'instance': choice([1, 0xffffffff, 1 << 33]), 'image': 10,
                        'kernel': 11, 'ramdisk': 12}}
        for name in ('project_id', 'reservation_id', 'availability_zone', 'admin_password'):
            if self.chance():
                case[name] = self.word()
        if self.chance():
            case['launch_index'] = self.random.randrange(100)
        if self.chance(0.8):
            case['image'] = {'id': choice([self.identifier(), None])}
            for name in ('kernel_id', 'ramdisk_id'):
                if self.chance(0.3):
                    case['image'][name] = self.identifier()
        if self.chance():
            case['key'] = {'name': self.word() or 'k', 'type': choice(['ssh', 'x509']),
                           'public_key': 'ssh-ed25519 AAAA ' + self.word(),
                           'deleted': self.chance(0.2)}
        if self.chance():
            case['user_data'] = choice([{'text': self.word()},
                                        {'base64': base64.b64encode(bytes(range(256))).decode()}])
        for name in ('metadata', 'system_metadata'):
            if self.chance():
                case[name] = {self.word(): self.word() for _ in range(self.random.randrange(4))}
        if self.chance(0.3):
            case.setdefault('system_metadata', {})['boot_roles'] = 'admin,member'
        if self.chance():
            case['security_groups'] = [self.word() for _ in range(self.random.randrange(3))]
        if self.chance(0.3):
            case['files'] = [{'path': '/etc/' + self.word(), 'text': self.word()}
                             for _ in range(self.random.randrange(4))]
        if self.chance():
            case['root_device'] = choice(['/dev/vda', 'vda', '/dev/', None])
            for name in ('default_ephemeral_device', 'default_swap_device'):
                if self.chance():
                    case[name] = choice(['/dev/vdb', '', None])
        if self.chance():
            case['block_devices'] = [self.block_device()
                                     for _ in range(self.random.randrange(8))]
        if self.chance(0.9):
            case['network'] = [self.nic() for _ in range(self.random.choice([0, 1, 2, 5]))]
        if case.get('network') and self.chance(0.2):
            vifs = [nic['id'] for nic in case['network']] + [None]
            groups = [{'id': 'pg-%d' % n, 'mac': choice([None, '', self.mac()]),
                       'mode': choice([None, '802.3ad']), 'vif': choice(vifs),
                       'properties': choice([{}, {'miimon': '100', 'bond_x': [1, 1.5]},
                                             {'mode': 'other', 'bondage': None}])}
                      for n in range(self.random.randrange(3))]
            case['bare_metal'] = {
                'ports': [{'id': 'p-%d' % n, 'mac': self.mac(), 'vif': choice(vifs),
                           'port_group': choice(['pg-0', 'pg-1', None])}
                          for n in range(self.random.randrange(5))],
                'port_groups': groups}
        if self.chance():
            case['devices'] = [self.device() for _ in range(self.random.randrange(6))]
        if self.chance(0.3):
            case['numa'] = [{'dedicated': [self.random.randrange(16) for _ in range(4)]}
                            for _ in range(self.random.randrange(3))]
        case['config'] = self.config(case)
        return case

    def config(self, case):
        choice = self.random.choice
        config = {}
        if self.chance(0.3):
            config['api.dhcp_domain'] = choice(['', 'example.org'])
        if self.chance(0.3):
            config['api.config_drive_skip_versions'] = choice(
                ['', 'latest', '1.0  2009-04-04', '2012-08-10 latest', ' 1.0', '1.0\t2007-01-19'])
        if self.chance(0.3):
            config['flat_injected'] = True
        if self.chance(0.4):
            config['injected_network_template'] = choice(TEMPLATES)
        if self.chance(0.5):
            case['vendordata_static_text'] = choice(JSON_TEXTS[:15]) if self.chance(0.8) \
                else choice(JSON_TEXTS)
        if self.chance(0.5):
            config['api.vendordata_providers'] = choice(
                [['StaticJSON', 'DynamicJSON'], ['DynamicJSON', 'StaticJSON'], ['DynamicJSON'],
                 [], ['StaticJSON', 'StaticJSON', 'DynamicJSON', 'DynamicJSON'], ['StaticJSON']])
            targets = ['%s@http://h/%d' % (choice(['a', 'b', 'static', '', 'é']), n)
                       for n in range(self.random.randrange(5))]
            if self.chance(0.2):
                targets.append('nameless')
            config['api.vendordata_dynamic_targets'] = targets
            config['api.vendordata_dynamic_failure_fatal'] = self.chance(0.2)
            case['vendordata_services'] = {
                'http://h/%d' % n: choice([{'error': 'connection'}, {'error': 'http'},
                                           {'text': ''}, {'text': choice(JSON_TEXTS)}])
                for n in range(5)}
        return config


def main():
    import logging
    logging.disable(logging.CRITICAL)
    objects.register_all()
    CONF([], project='nova', default_config_files=[])
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    generator = Generator(seed)
    for number in range(count):
        case = generator.case()
        if case['config'].get('injected_network_template') == '':
            # An empty option turns the template off; an empty file cannot be asked for.
            case['config'].pop('injected_network_template')
        print(json.dumps({'name': 'seed %d, case %d' % (seed, number), 'input': case,
                          **run(case)}))


main()
