//! An identity put into a guest's disk: `christen inject` beside what people do it with, in the same run: `cargo xtask bench identity`.
//!
//! Nova's five items go into a Debian's ext4 of 2 GiB, other ones in each round. Ours is measured with its look at what was staged, its
//! verification by the second reader, and all its syncs. With `CHRISTEN_BENCH_SHORT` in the environment there are few rounds: that shows that
//! it works, and no figures.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(dead_code, reason = "each benchmark uses its part of the support")]

mod support;

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_testkit::guest::plain::PlainGuest;
use support::{Calls, Figures, Program, copy_image, judge, measure, run, text, words};

/// The size of the guest's disk.
const IMAGE_BYTES: u64 = 2 << 30;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab";

/// Bounds of the figures: how often what is measured.
struct Rounds {
    /// After one warm-up; odd, so that the median is a measured value.
    usual: usize,
    /// Of what takes half a minute each.
    appliance: usize,
    /// Of a whole batch.
    batch: usize,
    /// Images of a batch.
    images: usize,
}

fn main() -> io::Result<()> {
    let rounds = match env::var_os("CHRISTEN_BENCH_SHORT") {
        Some(_) => Rounds {
            usual: 5,
            appliance: 1,
            batch: 1,
            images: 200,
        },
        None => Rounds {
            usual: 51,
            appliance: 3,
            batch: 5,
            images: 1000,
        },
    };
    // On the file system of the repository, not on a tmpfs: where a sync means something.
    let scratch = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?
        .join("target/bench-identity");
    // An earlier run that was cut may have left a mount; it is not there otherwise.
    let _ = run(&format!("umount {}", text(&scratch.join("mount"))));
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(scratch.join("mount"))?;
    let bench = Bench::new(scratch, rounds)?;
    bench.peers()?;
    bench.doctor()?;
    bench.batch()?;
    bench.appliances()?;
    fs::remove_dir_all(&bench.scratch)
}

/// A file that a round puts: path, mode, owner and group, content.
type Put = (&'static str, &'static str, &'static str, String);

/// How the password is given.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Password {
    Hash,
    Clear,
}

/// The Debian, and what is put into it.
struct Bench {
    scratch: PathBuf,
    debian: PathBuf,
    shadow: String,
    interfaces: String,
    rounds: Rounds,
}

/// What a description says in a round.
fn description(round: usize, password: Password) -> String {
    let password = match password {
        Password::Hash => format!("guest: {{root_password: {{hash: \"{}\"}}}}", hash(round)),
        Password::Clear => format!("admin_password: Unspeakable{round}"),
    };
    format!(
        "name: bench-{round}\nuuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2\n\
         ssh_authorized_keys: {KEY} round@{round}\n{password}\nmetadata: {{round: \"{round}\"}}\n\
         network:\n  - {{mac: \"52:54:00:00:53:01\", address: 192.0.2.{0}/24, gateway: 192.0.2.1, dns: 192.0.2.53}}\n\
         files:\n  - {{path: /etc/motd, text: \"round {round}\\n\"}}\n  - {{path: /etc/christen/round, text: \"{round}\\n\"}}\n",
        2 + round % 250
    )
}

/// The form of yescrypt's; nobody logs in with it.
fn hash(round: usize) -> String {
    format!("$y$j9T$abcdefghijklmnopqrstu.${round:0>43}")
}

impl Bench {
    fn new(scratch: PathBuf, rounds: Rounds) -> io::Result<Self> {
        let debian = scratch.join("debian.img");
        let from = PlainGuest::get()?.root("ext4");
        run(&format!(
            "cp --sparse=always {} {}",
            text(&from),
            text(&debian)
        ))?;
        File::options()
            .write(true)
            .open(&debian)?
            .set_len(IMAGE_BYTES)?;
        // resize2fs asks for a check first; its exit status 1 would say that something was mended.
        run(&format!("e2fsck -fp {}", text(&debian)))?;
        run(&format!("resize2fs {}", text(&debian)))?;
        for round in 0..=rounds.usual + 3 {
            for (name, password) in [("hash", Password::Hash), ("clear", Password::Clear)] {
                let path = scratch.join(format!("{name}.{round}.yaml"));
                fs::write(path, description(round, password))?;
            }
        }
        let cat = |path: &str| -> io::Result<String> {
            let mut command = Command::new(env!("CARGO_BIN_EXE_christen"));
            let output = command.arg("cat").arg(&debian).arg(path).output()?;
            if !output.status.success() {
                return Err(io::Error::other(format!("`christen cat {path}` failed")));
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        Ok(Self {
            shadow: cat("/etc/shadow")?,
            interfaces: cat("/etc/network/interfaces")?,
            scratch,
            debian,
            rounds,
        })
    }

    fn copy(&self, name: &str) -> io::Result<PathBuf> {
        let copy = self.scratch.join(name);
        copy_image(&self.debian, &copy)?;
        Ok(copy)
    }

    /// The same five items as files, for those who can put files only.
    fn puts(&self, round: usize) -> Vec<Put> {
        let shadow: String = self
            .shadow
            .lines()
            .map(|line| match line.strip_prefix("root:") {
                Some(_) => format!("root:{}:20000:0:99999:7:::\n", hash(round)),
                None => format!("{line}\n"),
            })
            .collect();
        let interfaces = format!(
            "{}auto eth0\niface eth0 inet static\n    address 192.0.2.{}/24\n    gateway 192.0.2.1\n",
            self.interfaces,
            2 + round % 250
        );
        vec![
            (
                "/root/.ssh/authorized_keys",
                "600",
                "0:0",
                format!("{KEY} round@{round}\n"),
            ),
            ("/etc/network/interfaces", "644", "0:0", interfaces),
            (
                "/etc/resolv.conf",
                "644",
                "0:0",
                "nameserver 192.0.2.53\n".to_owned(),
            ),
            ("/etc/hostname", "644", "0:0", format!("bench-{round}\n")),
            (
                "/meta.js",
                "644",
                "0:0",
                format!("{{\"round\": \"{round}\"}}"),
            ),
            ("/etc/shadow", "640", "0:42", shadow),
            ("/etc/motd", "644", "0:0", format!("round {round}\n")),
            ("/etc/christen/round", "644", "0:0", format!("{round}\n")),
        ]
    }

    /// Writes the files of a round for a peer, and returns where they are.
    fn sources(&self, round: usize) -> io::Result<Vec<(PathBuf, Put)>> {
        let sources = self.puts(round).into_iter().map(|put| {
            let name = put.0.replace('/', "_");
            let path = self.scratch.join(format!("put{name}.{round}"));
            fs::write(&path, &put.3)?;
            Ok((path, put))
        });
        sources.collect()
    }

    /// Ours on an image of its own.
    fn ours(&self, name: &str, password: Password, options: &str) -> io::Result<Program> {
        let stem: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let image = text(&self.copy(&format!("{stem}.img"))?);
        let word = match password {
            Password::Hash => "hash",
            Password::Clear => "clear",
        };
        let descriptions = text(&self.scratch.join(word));
        let options = options.to_owned();
        Ok(Program::changing(name, move |round| {
            let mut command = vec![env!("CARGO_BIN_EXE_christen").to_owned()];
            command.extend(words(&format!(
                "inject --format raw {image} {descriptions}.{round}.yaml {options}"
            )));
            command
        }))
    }

    /// Root's way: mount, put, unmount.
    fn mounting(&self, rounds: usize) -> io::Result<Program> {
        let image = text(&self.copy("mount.img")?);
        let mount = text(&self.scratch.join("mount"));
        for round in 0..=rounds + 3 {
            let mut script = format!(
                "set -e\nmount -o loop {image} {mount}\nmkdir -p -m 700 {mount}/root/.ssh\nmkdir -p {mount}/etc/christen\n"
            );
            for (source, (path, mode, owner, _)) in self.sources(round)? {
                let (source, path) = (text(&source), format!("{mount}{path}"));
                // Writing to a string cannot fail.
                let _ = writeln!(
                    script,
                    "cp {source} {path}\nchmod {mode} {path}\nchown {owner} {path}"
                );
            }
            let _ = writeln!(script, "umount {mount}");
            fs::write(self.scratch.join(format!("mount.{round}.sh")), script)?;
        }
        let scripts = text(&self.scratch.join("mount"));
        Ok(Program::changing(
            "root's loop mount, `cp`, `chmod`, `chown`, `umount`",
            move |round| words(&format!("sh {scripts}.{round}.sh")),
        ))
    }

    fn peers(&self) -> io::Result<()> {
        println!(
            "Nova's five items (key, network, metadata, password, files) into a Debian's ext4 of 2 GiB, each round other ones:\n"
        );
        let nova = "--like nova --set libvirt.inject_partition=-1 --set flat_injected=true --set libvirt.inject_key=true --set libvirt.inject_password=true";
        let rounds = self.rounds.usual;
        let mut programs = vec![
            Program::changing("an empty process (`true`)", |_| words("true")),
            self.ours(
                "`christen inject`, the password as a hash",
                Password::Hash,
                "",
            )?,
            self.ours(
                "`christen inject`, the password in clear (yescrypt, as the guest has it)",
                Password::Clear,
                "",
            )?,
            self.ours(
                "`christen inject --like nova` (its `$1$`)",
                Password::Clear,
                nova,
            )?,
        ];
        let mounting = self.mounting(rounds)?;
        // Only root may, and only where there are loop devices.
        if mounting.run(rounds + 3).is_ok() {
            programs.push(mounting);
        }
        self.table(&programs, rounds)?;
        for entry in fs::read_dir(&self.scratch)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "img") {
                judge(&text(&path))?;
            }
        }
        Ok(())
    }

    fn appliances(&self) -> io::Result<()> {
        println!(
            "The same by libguestfs, its appliance under emulation (`force_tcg`, no KVM), beside ours:\n"
        );
        let rounds = self.rounds.appliance;
        let ours = self.ours(
            "`christen inject`, the password as a hash, again",
            Password::Hash,
            "",
        )?;
        let fish = text(&self.copy("guestfish.img")?);
        let customize = text(&self.copy("customize.img")?);
        for round in 0..=rounds + 3 {
            let mut script = "run\nmount /dev/sda /\nmkdir-p /root/.ssh\nchmod 0700 /root/.ssh\nmkdir-p /etc/christen\n".to_owned();
            for (source, (path, mode, owner, _)) in self.sources(round)? {
                let owner = owner.replace(':', " ");
                // Writing to a string cannot fail.
                let _ = writeln!(
                    script,
                    "upload {} {path}\nchmod 0{mode} {path}\nchown {owner} {path}",
                    text(&source)
                );
            }
            fs::write(self.scratch.join(format!("fish.{round}")), script)?;
        }
        let environment = "env LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg";
        let (scripts, puts) = (
            text(&self.scratch.join("fish")),
            text(&self.scratch.join("put")),
        );
        let programs = [
            Program::changing("an empty process (`true`)", |_| words("true")),
            ours,
            Program::changing("`guestfish`", move |round| {
                words(&format!(
                    "{environment} guestfish --rw --format=raw -a {fish} -f {scripts}.{round}"
                ))
            }),
            Program::changing("`virt-customize`", move |round| {
                words(&format!(
                    "{environment} virt-customize -q --no-network --format raw -a {customize} --hostname bench-{round} \
                     --ssh-inject root:file:{puts}_root_.ssh_authorized_keys.{round} --password root:password:Unspeakable{round} \
                     --upload {puts}_etc_network_interfaces.{round}:/etc/network/interfaces \
                     --upload {puts}_etc_resolv.conf.{round}:/etc/resolv.conf --upload {puts}_meta.js.{round}:/meta.js \
                     --upload {puts}_etc_motd.{round}:/etc/motd --mkdir /etc/christen \
                     --upload {puts}_etc_christen_round.{round}:/etc/christen/round"
                ))
            }),
        ];
        self.table(&programs, rounds)
    }

    fn doctor(&self) -> io::Result<()> {
        println!("Whether the image will take the identity:\n");
        let (image, instance) = (text(&self.debian), text(&self.scratch.join("hash.0.yaml")));
        let programs = [
            Program::changing("an empty process (`true`)", |_| words("true")),
            Program::changing("`christen doctor`", move |_| {
                let mut command = vec![env!("CARGO_BIN_EXE_christen").to_owned()];
                command.extend(words(&format!("doctor {image} {instance}")));
                command
            }),
        ];
        self.table(&programs, self.rounds.usual)
    }

    /// Many images over one base: made by the batch itself, and made before by `qemu-img`.
    fn batch(&self) -> io::Result<()> {
        let images = self.rounds.images;
        println!(
            "`christen inject --batch` of {images} qcow2 overlays of one raw Debian, two at a time, each verified and synced:\n"
        );
        println!("| overlays | median s | half of the runs, s | images a second |");
        println!("|---|--:|--:|--:|");
        let directory = self.scratch.join("batch");
        let base = text(&self.debian);
        for (name, ready) in [
            ("made by the batch", false),
            ("there already, changed in place", true),
        ] {
            let mut samples = Vec::new();
            for _ in 0..self.rounds.batch {
                let _ = fs::remove_dir_all(&directory);
                fs::create_dir(&directory)?;
                let mut jobs = String::new();
                for image in 0..images {
                    let path = text(&directory.join(format!("{image}.qcow2")));
                    let from = match ready {
                        true => format!("\"image\": \"{path}\""),
                        false => format!(
                            "\"image\": \"{base}\", \"format\": \"raw\", \"output\": \"{path}\", \"output_kind\": \"overlay\""
                        ),
                    };
                    let instance = instance_json(image);
                    // Writing to a string cannot fail.
                    let _ = writeln!(jobs, "{{{from}, \"instance\": {instance}}}");
                }
                if ready {
                    let first = directory.join("0.qcow2");
                    run(&format!(
                        "qemu-img create -q -f qcow2 -b {base} -F raw {}",
                        text(&first)
                    ))?;
                    for image in 1..images {
                        fs::copy(&first, directory.join(format!("{image}.qcow2")))?;
                    }
                }
                let list = directory.join("jobs.ndjson");
                fs::write(&list, jobs)?;
                run(&format!("sync -f {}", text(&list)))?;
                let (list, allowed) = (text(&list), text(&self.scratch));
                let program = Program::changing("a batch", move |_| {
                    let mut command = vec![env!("CARGO_BIN_EXE_christen").to_owned()];
                    command.extend(words(&format!(
                        "inject --batch {list} --format qcow2 --allow-backing {allowed} --jobs 2"
                    )));
                    command
                });
                samples.push(program.run(0)?.as_secs_f64() * 1e6);
                for image in [0, images - 1] {
                    run(&format!(
                        "qemu-img check -q {}",
                        text(&directory.join(format!("{image}.qcow2")))
                    ))?;
                }
            }
            let figure = Figures::of(samples);
            let (low, high) = figure.quartiles;
            println!(
                "| {name} | {:.2} | {:.2}–{:.2} | {:.0} |",
                figure.median / 1e6,
                low / 1e6,
                high / 1e6,
                images as f64 / (figure.median / 1e6)
            );
        }
        println!();
        fs::remove_dir_all(&directory)
    }

    fn table(&self, programs: &[Program], rounds: usize) -> io::Result<()> {
        let figures = measure(programs, rounds, 0)?;
        println!(
            "| program | median ms | half of the runs, ms | smallest ms | system calls | syncs | bytes written | peak memory, KiB | times ours |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        for (program, figure) in programs.iter().zip(&figures) {
            // A kernel that writes for a mount is not seen by a trace of processes, and what a virtual machine does takes too long under one.
            let unseen = ["mount", "guestfish", "virt-customize"];
            let seen = !unseen.iter().any(|it| program.name.contains(it));
            let (calls, memory) = match seen {
                // Rounds after the measured ones: what is there already would be nothing to do.
                true => (
                    program.traced(rounds + 1, &self.scratch)?,
                    program.memory_kib(rounds + 2, &self.scratch)?,
                ),
                false => (Calls::default(), 0),
            };
            let shown = |number: u64| match seen {
                true => number.to_string(),
                false => "–".to_owned(),
            };
            let (low, high) = figure.quartiles;
            println!(
                "| {} | {:.2} | {:.2}–{:.2} | {:.2} | {} | {} | {} | {} | {:.2} |",
                program.name,
                figure.median / 1e3,
                low / 1e3,
                high / 1e3,
                figure.smallest / 1e3,
                shown(calls.all),
                shown(calls.syncs),
                shown(calls.bytes),
                shown(memory),
                figure.median / figures[1].median,
            );
        }
        println!();
        Ok(())
    }
}

/// The description of an image of a batch, as JSON.
fn instance_json(image: usize) -> String {
    format!(
        "{{\"name\": \"bench-{image}\", \"uuid\": \"b65cee2f-8c69-4aeb-be2f-{image:012x}\", \"ssh_authorized_keys\": \"{KEY} image@{image}\", \
         \"guest\": {{\"root_password\": {{\"hash\": \"{}\"}}}}, \"metadata\": {{\"image\": \"{image}\"}}, \
         \"network\": [{{\"mac\": \"52:54:00:00:53:01\", \"dhcp\": true}}], \
         \"files\": [{{\"path\": \"/etc/motd\", \"text\": \"image {image}\\n\"}}, {{\"path\": \"/etc/christen/image\", \"text\": \"{image}\\n\"}}]}}",
        hash(image)
    )
}
