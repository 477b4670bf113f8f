//! LVM2: linear volumes over the physical volumes of an image.
