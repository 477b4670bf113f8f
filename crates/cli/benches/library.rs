//! The library alone, on one core: from the text of a description to a finished image in
//! memory. `cargo xtask bench drive` runs it.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::HashMap;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use christen_configdrive::{Timestamp, Tree, iso9660, vfat};
use christen_instance::description::{self, Limits};
use christen_instance::inputs::{
    FileSource, RandomSource, VendorDataFailure, VendorDataRequest, VendorDataService,
};
use christen_instance::{Context, Documents, Instance, NoCloud, OpenStack, Settings};

/// How long each row is measured, after a tenth of it as warm-up.
const MEASURED: Duration = Duration::from_secs(2);
/// Sizes of the trees that show how the cost grows.
const TREES: [usize; 3] = [1_000, 10_000, 100_000];

/// A generator that costs nothing, so that the system's is not what is measured.
struct Counter(u8);

impl RandomSource for Counter {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for byte in buffer {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

struct Nobody;

impl VendorDataService for Nobody {
    fn ask(&mut self, _: &VendorDataRequest) -> Result<String, VendorDataFailure> {
        Err(VendorDataFailure {
            reason: "nobody is asked in a benchmark".to_owned(),
        })
    }
}

/// The files that the description names, in memory: reading them is the caller's part.
struct Files(HashMap<String, Vec<u8>>);

impl Files {
    fn load(examples: &Path) -> io::Result<Self> {
        let mut files = HashMap::new();
        for entry in std::fs::read_dir(examples.join("files"))? {
            let entry = entry?;
            let name = format!("files/{}", entry.file_name().to_string_lossy());
            files.insert(name, std::fs::read(entry.path())?);
        }
        Ok(Self(files))
    }
}

impl FileSource for Files {
    fn read(&self, path: &str, _: u64) -> io::Result<Vec<u8>> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn measure(name: &str, mut work: impl FnMut()) {
    let warm_up = Instant::now();
    while warm_up.elapsed() < MEASURED / 10 {
        work();
    }
    let mut samples = Vec::new();
    let start = Instant::now();
    while start.elapsed() < MEASURED {
        let one = Instant::now();
        work();
        samples.push(one.elapsed());
    }
    let total = start.elapsed();
    samples.sort_unstable();
    let microseconds = |it: Duration| it.as_secs_f64() * 1e6;
    println!(
        "| {name} | {:.0} | {:.0} | {:.0} |",
        microseconds(samples[samples.len() / 2]),
        microseconds(samples[samples.len() * 99 / 100]),
        samples.len() as f64 / total.as_secs_f64(),
    );
}

fn parse(text: &str, files: &Files) -> Instance {
    match description::parse(text, "everything.yaml", files, &Limits::default()) {
        Ok(parsed) => parsed.instance,
        Err(findings) => panic!("{}", findings.render()),
    }
}

fn render(instance: &Instance, settings: &Settings, nocloud: bool) -> Documents {
    let context = Context {
        settings,
        like_nova: false,
        random: &mut Counter(0),
        vendordata: &mut Nobody,
    };
    let documents = if nocloud {
        NoCloud::new(instance, context).documents()
    } else {
        OpenStack::new(instance, context).documents()
    };
    documents.unwrap_or_else(|error| panic!("the example does not render: {error}"))
}

fn tree(documents: Documents) -> Tree {
    let mut tree = Tree::new();
    for document in documents {
        if let Err(error) = tree.add_file(&document.path, document.content) {
            panic!("{}: {error}", document.path);
        }
    }
    tree
}

fn image(tree: &Tree) -> Vec<u8> {
    let mut image = Vec::new();
    let options = iso9660::Options::new("config-2", Timestamp::from_seconds(0));
    match iso9660::write(tree, &options, &mut image) {
        Ok(_) => image,
        Err(error) => panic!("the image cannot be written: {error}"),
    }
}

fn fat_image(tree: &Tree) -> Vec<u8> {
    let mut image = Vec::new();
    let options = vfat::Options::new("config-2", Timestamp::from_seconds(0));
    match vfat::write(tree, &options, &mut image) {
        Ok(_) => image,
        Err(error) => panic!("the image cannot be written: {error}"),
    }
}

fn main() -> io::Result<()> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let text = std::fs::read_to_string(examples.join("everything.yaml"))?;
    let files = Files::load(&examples)?;
    let settings = Settings::default();
    let instance = parse(&text, &files);
    let documents = render(&instance, &settings, false);

    println!(
        "In the library, one core, `examples/everything.yaml` ({} documents):\n",
        documents.len()
    );
    println!("| step | median µs | 99th percentile µs | a second |");
    println!("|---|--:|--:|--:|");
    measure("description to finished ISO 9660 image in memory", || {
        let instance = parse(&text, &files);
        black_box(image(&tree(render(&instance, &settings, false))));
    });
    measure("description to finished VFAT image in memory", || {
        let instance = parse(&text, &files);
        black_box(fat_image(&tree(render(&instance, &settings, false))));
    });
    measure("– of these: parse and validate the description", || {
        black_box(parse(&text, &files));
    });
    measure("– render all OpenStack and EC2 documents", || {
        black_box(render(&instance, &settings, false));
    });
    measure("– ISO 9660 image from the documents", || {
        black_box(image(&tree(documents.clone())));
    });
    measure("description to NoCloud seed (ISO 9660)", || {
        let instance = parse(&text, &files);
        black_box(image(&tree(render(&instance, &settings, true))));
    });

    println!(
        "\nHow the cost of an ISO 9660 image grows (files of 100 bytes, 100 to a directory):\n"
    );
    println!("| files | ms | µs a file |");
    println!("|--:|--:|--:|");
    for count in TREES {
        let mut tree = Tree::new();
        for number in 0..count {
            let path = format!("d{:04}/file-{number:06}.txt", number / 100);
            if let Err(error) = tree.add_file(&path, vec![b'x'; 100]) {
                panic!("{path}: {error}");
            }
        }
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            black_box(image(&tree));
            best = best.min(start.elapsed());
        }
        println!(
            "| {count} | {:.1} | {:.2} |",
            best.as_secs_f64() * 1e3,
            best.as_secs_f64() * 1e6 / count as f64
        );
    }
    println!();
    Ok(())
}
