"""Generates nova.conf files and reads them with a real Nova's options.

    nova_conf.py table                the options that christen knows, as Nova defines them
    nova_conf.py cases SEED COUNT     one JSON line a case: the files and what oslo.config
                                      makes of each option

The options of christen's table are read from standard input, a line `GROUP NAME EFFECT`
each; those of effect `used` are evaluated.
"""

import json
import os
import random
import sys
import tempfile

# oslo.config would take values from here, too.
for variable in [name for name in os.environ if name.startswith("OS_")]:
    del os.environ[variable]

import nova.conf  # noqa: E402
from oslo_config import cfg  # noqa: E402

CONF = nova.conf.CONF

# Facts of the host, set in every case: christen has no default for them.
HOST_FACTS = ["host", "my_ip", "pybasedir"]
BASE = "[DEFAULT]\nhost = node-1\nmy_ip = 192.0.2.1\npybasedir = /opt/nova\n"

# String options of Nova's that are in none of christen's tables.
FOREIGN = [
    ("DEFAULT", "compute_driver"),
    ("DEFAULT", "instance_name_template"),
    ("api", "compute_link_prefix"),
    ("libvirt", "disk_prefix"),
    ("neutron", "ovs_bridge"),
]

TEXTS = [
    "", "x", "a b", "novalocal", "é", "日本", "a=b", "a:b", "#x", "; x", "x # y", '"quoted"',
    "'quoted'", '"', "'", '"half', "half'", "'a\"", '""', "\"a' \"", "\\", "\\n", "%s", "%(x)s",
    "[x]", "a,b", ",", " , ", "{}", "\u00a0x\u00a0", "\x0bx", "x\x1f", "\u200bx", "/etc/file",
]

REFERENCES = [
    "$my_ip", "${my_ip}", "$host.", "$host", "$host-x", "$host.x", "${host}.x", "$my_ip$host",
    "$$", "$$host", "\\$host", "\\$", "\\\\$host", "$", "${", "${}", "${host", "$ host", "$1",
    "$-", "$é", "$${host}", "$$$host", "${host}}", "{$host}", "$HOST", "$host_", "$_", "$_x",
    "$tempdir", "$state_path", "$instances_path/x", "$my_block_storage_ip", "$flat_injected",
    "$force_config_drive", "$config_drive_format", "${api.dhcp_domain}", "$api.dhcp_domain",
    "$dhcp_domain", "$libvirt.virt_type", "${quota.injected_files}", "$quota_injected_files",
    "$api.vendordata_dynamic_read_timeout", "$vendordata_jsonfile_path", "$api", "$libvirt",
    "${DEFAULT.host}", "$API.dhcp_domain", "$nosuch", "${no.such}", "$api.nosuch", "$compute_driver",
    "$compute_link_prefix", "${libvirt.disk_prefix}", "$mkisofs_cmd", "$injected_files",
    "$injected_network_template", "${neutron.ovs_bridge}", "$guestfs.debug", "$\u017ftate_path",
    "$host\u0131", "$hos\u212a",
]

BOOLEANS = ["true", "TRUE", "Yes", "1", "on", "false", "off", "No", "0", "FaLsE"]
BAD_BOOLEANS = ["", "t", "2", "enabled", "true false", "yes,", "\uff11"]
INTEGERS = ["3", "5", "10", "007", "+4", " 8 ", "1_0", "", "4294967295", "60"]
BAD_INTEGERS = ["-3", "1.0", "five", "0x10", "1__0", "_1", "1_", "--1", "+", "1 0", "9" * 30, "- 5"]


class Generator:
    def __init__(self, seed, options):
        self.random = random.Random(seed)
        self.options = options
        # Half of the cases have no deliberate mistake, so that values are compared and not
        # only refusals.
        self.wild = self.random.random() < 0.5

    def some(self, chance):
        return self.wild and self.random.random() < chance

    def pick(self, items):
        return self.random.choice(items)

    def value(self, option):
        kind = type(option.type).__name__
        if self.random.random() < 0.1:
            # References to where everybody can follow.
            safe = {"Boolean": ["$flat_injected"], "Integer": ["$quota_injected_files"]}
            names = safe.get(kind)
            if names and option.dest not in ("flat_injected", "injected_files"):
                return self.pick(names)
        if kind == "Boolean":
            return self.pick(BAD_BOOLEANS if self.some(0.1) else BOOLEANS)
        if kind == "Integer":
            return self.pick(BAD_INTEGERS if self.some(0.1) else INTEGERS)
        choices = getattr(option.type, "choices", None)
        if choices and not self.some(0.2):
            return self.pick(list(choices))
        if kind == "List":
            choices = getattr(option.type.item_type, "choices", None)
            items = list(choices) if choices and not self.some(0.2) else TEXTS
            count = self.random.randrange(4)
            separator = self.pick([",", ", ", " , ", ",\n  ", ","])
            text = separator.join(self.pick(items) for _ in range(count))
            return text + self.pick(["", "", ",", ",,", " ,"])
        if self.some(0.3) or self.random.random() < 0.15:
            references = REFERENCES if self.wild else ["$my_ip", "${host}", "$$", "\\$x", "$state_path"]
            parts = [self.pick(references + TEXTS) for _ in range(self.random.randrange(1, 4))]
            return "".join(parts)
        return self.pick(TEXTS)

    def key(self):
        """A group, a name and a value."""
        if self.random.random() < 0.15:
            group, name = self.pick(FOREIGN)
            return group, name, self.pick(TEXTS[:8])
        group, name = self.pick(self.options)
        option = definition(group, name)
        value = self.value(option)
        if option.deprecated_opts and self.random.random() < 0.4:
            group, name = option.deprecated_opts[0].group, option.deprecated_opts[0].name
        elif self.random.random() < 0.04:
            name = self.pick([name.upper(), name.replace("_", "-"), name + "x"])
        return group, name, value

    def lines(self):
        group = None
        for _ in range(self.random.randrange(1, 14)):
            wanted, name, value = self.key()
            if group != wanted or self.random.random() < 0.1:
                if not self.some(0.02):
                    yield self.section(wanted)
                group = wanted
            if self.random.random() < 0.2:
                yield self.pick(["# comment", ";comment", "#x=y", "", "   ", "\t", "\x0c", "#"])
            separator = self.pick(["=", " = ", ":", " : ", "= ", "\t=\t"])
            if self.some(0.02):
                separator = self.pick(["", " ", "==", ":=", "=:"])
            if self.some(0.02):
                name = self.pick(["", " ", "=", "é", '"%s"' % name])
            if self.random.random() < 0.1:
                value = self.pick(["'%s'", '"%s"']) % value
            line = name + separator + value + self.pick(["", "", "", " ", "\t", "\u3000"])
            if self.some(0.02):
                line = self.pick([" ", "\t", "\u00a0", "\x0b"]) + line
            yield from line.split("\n")
            if self.random.random() < 0.06:
                yield self.pick(["  more", "\tmore", " # no comment", "  = x", " $host", "  [x]"])
            if self.some(0.02):
                yield self.pick(["", "# cut"])
                yield "  orphan"
            if self.some(0.02):
                yield self.pick(["[", "[]", "[]]", "[x", "[x] # y", "x]", "[[x]]", "\ufeff[x]",
                                 "\x00", "word", "=", ":", "[x]y", "[ ]"])

    def section(self, group):
        if group != "DEFAULT" and self.random.random() < 0.1:
            return "[%s]" % self.pick([group.upper(), group.capitalize()])
        if self.random.random() < 0.05:
            return "[%s]" % self.pick(["default", " api ", "api ", "Default", "glance", "API.x"])
        return "[%s]%s" % (group, self.pick(["", "", "  "]))

    def file(self):
        lines = list(self.lines())
        end = self.pick(["\n", "\n", "\n", "\r\n", "\r"])
        return end.join(lines) + self.pick([end, end, ""])

    def files(self):
        return [BASE] + [self.file() for _ in range(self.pick([1, 1, 1, 2, 3]))]


def definition(group, name):
    return (CONF._opts if group == "DEFAULT" else CONF._groups[group]._opts)[name]["opt"]


def described(group, name):
    option = definition(group, name)
    kind = option.type
    item = getattr(kind, "item_type", None)
    return {
        "group": group,
        "name": name,
        "type": type(kind).__name__,
        "minimum": getattr(kind, "min", None),
        "choices": list(getattr(item or kind, "choices", None) or []),
        "default": option.default,
        "deprecated": [[o.group, o.name] for o in option.deprecated_opts],
        "secret": option.secret,
    }


def evaluated(files):
    with tempfile.TemporaryDirectory() as directory:
        arguments = []
        for number, text in enumerate(files):
            path = os.path.join(directory, "%d.conf" % number)
            with open(path, "wb") as file:
                file.write(text.encode())
            arguments += ["--config-file", path]
        try:
            CONF(arguments, project="christen-test", default_config_files=[],
                 default_config_dirs=[])
        except (cfg.ConfigFileParseError, cfg.ConfigFileValueError) as error:
            return {"refused": type(error).__name__}
        values = {}
        for group, name, effect in OPTIONS:
            if effect != "used":
                continue
            try:
                holder = CONF if group == "DEFAULT" else CONF[group]
                values["[%s] %s" % (group, name)] = {"value": holder[name]}
            except (cfg.Error, ValueError, RecursionError) as error:
                values["[%s] %s" % (group, name)] = {"error": type(error).__name__}
        return {"options": values}


OPTIONS = [tuple(line.split()) for line in sys.stdin]

if sys.argv[1] == "table":
    for group, name, _ in OPTIONS:
        print(json.dumps(described(group, name)))
else:
    seed, count = int(sys.argv[2]), int(sys.argv[3])
    keys = [option[:2] for option in OPTIONS if option[1] not in HOST_FACTS]
    for number in range(count):
        files = Generator("%d.%d" % (seed, number), keys).files()
        case = {"name": "%d.%d" % (seed, number), "files": files}
        case.update(evaluated(files))
        print(json.dumps(case))
