"""Asks cloud-init's own readers what they understand of trees of documents, offline.

usage: read.py CASES. CASES is a JSON list of {"dialect", "files": {PATH: BASE64},
"macs": [MAC]}; the answer, on standard output, is a list of what each reader saw.
"""

import base64
import json
import logging
import os
import sys
import tempfile
from unittest import mock

import jsonschema
import yaml
from cloudinit import dmi, handlers, helpers, sources, user_data, util
from cloudinit.config import schema
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
from cloudinit.net import network_state
from cloudinit.sources import DataSourceConfigDrive, DataSourceNoCloud
from cloudinit.sources.helpers import openstack

SCHEMAS = os.path.join(os.path.dirname(schema.__file__), "schemas")


def validate(document, name):
    path = os.path.join(SCHEMAS, name)
    if not os.path.exists(path):
        return None
    with open(path) as file:
        published = json.load(file)
    errors = jsonschema.Draft7Validator(published).iter_errors(document)
    return [f"{list(error.path)}: {error.message[:200]}" for error in errors]


def nocloud(root, paths):
    source = DataSourceNoCloud.DataSourceNoCloud({}, None, paths)
    with mock.patch.object(source, "_get_devices", return_value=["/dev/sr0"]), mock.patch.object(
        util, "mount_cb", side_effect=lambda device, callback, data: callback(root, data)
    ), mock.patch.object(dmi, "read_dmi_data", return_value=None), mock.patch.object(
        util, "get_cmdline", return_value=""
    ):
        found = source._get_data()
    return source if found else None


def config_drive(root, paths, macs):
    results = DataSourceConfigDrive.read_config_drive(root)
    source = DataSourceConfigDrive.DataSourceConfigDrive({}, None, paths)
    source.metadata = results["metadata"]
    source.version = results["version"]
    source.userdata_raw = results.get("userdata")
    for name in ("vendordata", "vendordata2"):
        try:
            raw = sources.convert_vendordata(results.get(name))
        except ValueError:
            raw = None
        setattr(source, name + "_raw", raw)
    source.files = results["files"]
    source.known_macs = macs
    source.network_json = results.get("networkdata")
    source.network_eni = results.get("network_config")
    return source


def parts(raw, paths):
    """The MIME parts that cloud-init makes of user data or vendor data."""
    if not raw:
        return []
    message = user_data.UserDataProcessor(paths).process(raw)
    return [
        [part.get_content_type(), part.get_payload(decode=True).decode("utf-8", "replace")]
        for part in message.walk()
        if part.get_content_maintype() != "multipart"
    ]


def merged(raw, paths, state):
    """The one cloud-config that cloud-init makes of all parts, as text keys and values."""
    handler = CloudConfigPartHandler(paths)
    handler.cloud_fn = os.path.join(state, "merged")
    handler.handle_part(None, handlers.CONTENT_START, None, None, None, None)
    for part in user_data.UserDataProcessor(paths).process(raw).walk():
        if part.get_content_type() == "text/cloud-config":
            text = part.get_payload(decode=True).decode()
            handler.handle_part(None, "text/cloud-config", "part", text, "always", dict(part))
    handler.handle_part(None, handlers.CONTENT_END, None, None, None, None)
    return util.load_yaml(open(handler.cloud_fn).read(), default={})


def interfaces(config, macs):
    """The network state by MAC address, in one spelling for both versions."""
    if config is None:
        return None
    with mock.patch.object(network_state, "get_interfaces_by_mac", return_value=macs), mock.patch.object(
        network_state, "find_interface_name_from_mac", side_effect=macs.get
    ):
        state = network_state.parse_net_config_data(config, skip_broken=False)
    result = {}
    dns = set(state.dns_nameservers)
    for interface in state.iter_interfaces():
        addresses, routes, dynamic = set(), set(), set()
        for subnet in interface.get("subnets") or []:
            kind = subnet["type"]
            if kind.startswith("static"):
                prefix = subnet.get("prefix")
                addresses.add(f"{subnet['address'].split('/')[0]}/{prefix}")
            elif kind in ("ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless"):
                dynamic.add("dhcp6")
            elif kind != "ipv6_slaac":
                dynamic.add(kind)
            dns.update(subnet.get("dns_nameservers") or [])
            for route in subnet.get("routes") or []:
                # cloud-init before 23.1 takes `::/0` in version 2 for `::/64`.
                prefix = 0 if route["network"] == "::" else route["prefix"]
                routes.add(f"{route['network']}/{prefix} via {route['gateway']}")
        dns.update((interface.get("dns") or {}).get("nameservers") or [])
        # cloud-init 22.4 forgets the address of a bond in version 2.
        mac = "bond" if interface["type"] == "bond" else interface["mac_address"]
        result[mac] = {
            "type": interface["type"],
            "addresses": sorted(addresses),
            "routes": sorted(routes),
            "dynamic": sorted(dynamic),
            # Unsaid is the kernel's default, which is to accept.
            "accept_ra": interface.get("accept-ra") is not False,
            "mtu": interface.get("mtu"),
        }
    return {"interfaces": result, "dns": sorted(dns)}


def hostname(source, fqdn):
    name = source.get_hostname(fqdn=fqdn, metadata_only=True)
    # A named tuple since 22.2, plain text before.
    return name if isinstance(name, str) else name[0]


def read(case):
    macs = {mac.lower(): f"ens{number + 3}" for number, mac in enumerate(case["macs"])}
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as state:
        for path, content in case["files"].items():
            path = os.path.join(root, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(base64.b64decode(content))
        paths = helpers.Paths({"cloud_dir": state, "run_dir": state})
        if case["dialect"] == "nocloud":
            source = nocloud(root, paths)
        else:
            source = config_drive(root, paths, macs)
        if source is None:
            return None
        network = source.network_config
        answer = {
            "instance_id": source.get_instance_id(),
            "hostname": hostname(source, fqdn=False),
            "fqdn": hostname(source, fqdn=True),
            "keys": source.get_public_ssh_keys(),
            "user_data": base64.b64encode(util.encode_text(source.userdata_raw or "")).decode(),
            "files": sorted(getattr(source, "files", {})),
            "network": interfaces(network, macs),
            "merged": merged(source.vendordata_raw or "", paths, state),
            "with_user_data": util.mergemanydict(
                [
                    merged(source.userdata_raw or "", paths, state),
                    merged(source.vendordata_raw or "", paths, state),
                ]
            ),
            "vendor_data": parts(source.vendordata_raw, paths),
            "vendor_data2": parts(source.vendordata2_raw, paths),
        }
        if case["dialect"] == "nocloud":
            if network is not None:
                found = validate({"network": network}, "schema-network-config-v2.json")
                answer["network_schema"] = found
            answer["cloud_config_schema"] = [
                error
                for kind, text in answer["vendor_data"]
                if kind == "text/cloud-config" and (document := yaml.safe_load(text))
                for error in validate(document, "schema-cloud-config-v1.json")
            ]
        return answer


logging.disable(logging.CRITICAL)
with open(sys.argv[1]) as cases:
    json.dump([read(case) for case in json.load(cases)], sys.stdout, sort_keys=True)
