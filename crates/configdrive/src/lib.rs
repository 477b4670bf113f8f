//! Config drives: ISO 9660 and VFAT, written and read in process.
