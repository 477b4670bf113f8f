"""Packs a config drive with openstacksdk's own code, as Ironic does.

usage: pack_drive.py IMAGE TREE

The program that makes the image is the first genisoimage on PATH.
"""

import base64
import gzip
import sys

from openstack.baremetal import configdrive

image, tree = sys.argv[1:]
with open(image, "wb") as file:
    file.write(gzip.decompress(base64.b64decode(configdrive.pack(tree))))
