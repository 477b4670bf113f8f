"""Builds a config drive with Nova's own ConfigDriveBuilder.

usage: build_drive.py MKISOFS_CMD IMAGE TREE

The instance metadata is a stand-in that yields the files of TREE, in the order of their
names; everything after that, the temporary tree and the command line of `mkisofs_cmd`
included, is Nova's.
"""

import os
import sys

import nova.conf
from nova.virt import configdrive


class Metadata:
    """The one method of nova.api.metadata.base.InstanceMetadata that the builder calls."""

    def __init__(self, tree):
        self.tree = tree

    def metadata_for_config_drive(self):
        found = []
        for directory, _, names in os.walk(self.tree):
            for name in names:
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    found.append((os.path.relpath(path, self.tree), file.read()))
        return sorted(found)


def main():
    command, image, tree = sys.argv[1:]
    nova.conf.CONF([], project="nova", default_config_files=[], default_config_dirs=[])
    nova.conf.CONF.set_override("mkisofs_cmd", command)
    with configdrive.ConfigDriveBuilder(instance_md=Metadata(tree)) as builder:
        builder.make_drive(image)


main()
