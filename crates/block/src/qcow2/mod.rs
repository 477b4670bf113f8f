//! qcow2 images, by QEMU `docs/interop/qcow2.rst`.
