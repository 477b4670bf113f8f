"""Renders network configurations by cloud-init's own renderers.

Standard input is a list in JSON of network configurations of version 2, each as text; the answer is a list too, of objects
{RENDERER: {PATH: TEXT}}.
"""

import json
import os
import sys
import tempfile

import yaml

from cloudinit.distros import opensuse, rhel
from cloudinit.net import eni, network_manager, network_state, networkd, sysconfig

RENDERERS = {
    "eni": lambda: eni.Renderer(
        {"eni_path": "etc/network/interfaces", "netrules_path": None}
    ),
    "network-manager": lambda: network_manager.Renderer({}),
    "networkd": lambda: networkd.Renderer(
        {"network_conf_dir": "/etc/systemd/network/", "resolve_conf_fn": "/etc/systemd/resolved.conf"}
    ),
    "sysconfig": lambda: sysconfig.Renderer(
        {"flavor": "rhel", **rhel.Distro.renderer_configs["sysconfig"]}
    ),
    "sysconfig-suse": lambda: sysconfig.Renderer(
        opensuse.Distro.renderer_configs["sysconfig"]
    ),
}


def files(root):
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, encoding="utf-8") as file:
                found["/" + os.path.relpath(path, root)] = file.read()
    return found


def rendered(text, name):
    with tempfile.TemporaryDirectory() as root:
        config = yaml.safe_load(text)
        renderer = RENDERERS[name]()
        state = network_state.parse_net_config_data(config, renderer=renderer)
        renderer.render_network_state(state, target=root)
        return files(root)


def main():
    answer = [
        {name: rendered(text, name) for name in RENDERERS}
        for text in json.load(sys.stdin)
    ]
    json.dump(answer, sys.stdout)


main()
