//! The `christen-mkisofs` binary: everything is in the library, so that tests can reach it.

fn main() -> std::process::ExitCode {
    christen_cli::mkisofs::main()
}
