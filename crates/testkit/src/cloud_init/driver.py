"""Asks cloud-init's own code one question; the answer is JSON on standard output.

The verb is the argument; standard input holds a text to judge, or for `read` a list of
trees in JSON: [["config-drive" or "nocloud", PATH], ...]. The answer to that is a list too,
of {"read": RESULTS} or {"refused": WHY}.
Works with cloud-init 22.4 to 25.1.
"""

import base64
import contextlib
import json
import sys
import tempfile

import yaml


def plain(value):
    """The value in JSON's terms; bytes that are no UTF-8 as {"base64": ...}."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


@contextlib.contextmanager
def scratch_paths():
    """Directories for what a datasource keeps, gone with the question."""
    from cloudinit import helpers

    with tempfile.TemporaryDirectory() as scratch:
        yield helpers.Paths({"cloud_dir": scratch, "run_dir": scratch})


def config_drive(tree):
    from cloudinit.sources import DataSourceConfigDrive
    from cloudinit.sources.helpers import openstack

    results = DataSourceConfigDrive.read_config_drive(tree)
    # It takes an empty directory for a drive with nothing on it.
    if not results.get("metadata"):
        raise SystemExit("the tree holds no metadata")
    network = results.get("networkdata")
    if network is not None:
        # Names as a kernel would give them, in the order of the links.
        macs = {}
        for link in network.get("links", []):
            mac = link.get("ethernet_mac_address")
            if mac and link.get("type") not in ("bond", "vlan"):
                macs.setdefault(mac.lower(), "eth%d" % len(macs))
        results["network"] = openstack.convert_net_json(network, known_macs=macs)
    elif results.get("network_config"):
        from cloudinit.net import eni

        results["network"] = eni.convert_eni_data(plain(results["network_config"]))
    with scratch_paths() as paths:
        source = DataSourceConfigDrive.DataSourceConfigDrive({}, None, paths)
        source.metadata, source.version = results["metadata"], results["version"]
        results["keys"] = source.get_public_ssh_keys()
    return results


def nocloud(tree):
    from cloudinit import settings
    from cloudinit.sources import DataSourceNoCloud

    with scratch_paths() as paths:
        source = DataSourceNoCloud.DataSourceNoCloud(settings.CFG_BUILTIN, None, paths)
        source.seed_dirs = [tree]
        # Without a label it does not look at this machine's own drives.
        source.ds_cfg["fs_label"] = None
        if not source._get_data():
            raise SystemExit("NoCloud found no documents")
        if tree not in source.seed:
            raise SystemExit("NoCloud read %s, not the tree" % source.seed)
        return {
            "metadata": source.metadata,
            "keys": source.get_public_ssh_keys(),
            "userdata": source.userdata_raw,
            "vendordata": source.vendordata_raw,
            "network": source.network_config,
        }


def read(source, tree):
    try:
        results = config_drive(tree) if source == "config-drive" else nocloud(tree)
    # Whatever a reader raises is its answer on this tree, and the next one wants its own.
    except (Exception, SystemExit) as error:
        return {"refused": "%s: %s" % (type(error).__name__, error)}
    return {"read": results}


def judge(text, network):
    from cloudinit.config import schema

    config = yaml.safe_load(text)
    problems = []
    try:
        if network:
            version = schema.network_schema_version(config)
            kind = schema.SchemaType("network-config-v%d" % version)
            schema.validate_cloudconfig_schema(
                config.get("network", config),
                schema=schema.get_schema(kind),
                strict=True,
            )
        else:
            if not text.startswith("#cloud-config"):
                problems.append("the first line is not #cloud-config")
            schema.validate_cloudconfig_schema(
                config, schema=schema.get_schema(), strict=True
            )
    except schema.SchemaValidationError as error:
        problems.append(str(error))
    return {"problems": problems}


def main():
    verb, given = sys.argv[1], sys.stdin.buffer.read()
    if verb == "read":
        answer = [read(source, tree) for source, tree in json.loads(given)]
    elif verb == "cloud-config":
        answer = judge(given.decode("utf-8"), network=False)
    elif verb == "network-config":
        answer = judge(given.decode("utf-8"), network=True)
    else:
        from cloudinit import version

        answer = {"version": version.version_string()}
    json.dump(plain(answer), sys.stdout)


main()
