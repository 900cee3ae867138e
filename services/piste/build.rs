//! Builds again when a file is added to `migrations/`: the macro that embeds them cannot see that.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
