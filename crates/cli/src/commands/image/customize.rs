//! `christen customize`: a command line of virt-customize, all of it or nothing.

use christen_instance::Dialect;

use super::inject;
use crate::args::OperatorArguments;
use crate::args::image::CustomizeArguments;
use crate::clock;
use crate::failure::Outcome;
use crate::identity::Identity;
use crate::image::open;
use crate::injection::finish::Words;

const WORDS: Words = Words {
    work: "customize",
    done: "is as the options say",
    was_done: "the image was customized",
    nothing: "no option has anything to do to",
};

pub(crate) fn run(arguments: &CustomizeArguments) -> Outcome {
    let image = &arguments.image;
    let steps = arguments.options.steps()?;
    open::stated_format(image)?;
    let operator = OperatorArguments {
        random_source: arguments.random_source.clone(),
        ..OperatorArguments::default()
    };
    let time = clock::resolve(image.time.as_deref())?;
    let identity = Identity::load_at(None, &operator, Dialect::OpenStack, time)?;
    inject::carry(image, identity, &steps, &WORDS)
}
