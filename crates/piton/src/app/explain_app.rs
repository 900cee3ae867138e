//! Prints the app without its attributes, for `routes --explain`.

use super::App;
use super::attribute_scan::scan;
use crate::http;

impl App {
    /// Returns the output of `routes --explain`: the calls that the attributes of this app stand
    /// for, as an expression that can replace `App::new`. For tests that compile and compare it.
    #[must_use]
    pub fn explain(&self) -> String {
        let (name, root) = (&self.name, self.name.replace('-', "_"));
        let found = scan(self).routes;
        let mut text = format!(
            "// The attributes of `{name}` as plain calls, for the place of `App::new({name:?})`.\n\
             // Handlers have to be visible there; in the library itself write `use crate as {root};` above.\n\
             piton::App::new({name:?})\n    \
             // The routes below are all: attributes that are still in the code add none.\n    \
             .no_scan()\n"
        );
        text += &http::explain(found.iter().chain(&self.routes));
        // Sorted, because the order of registration is the linker's.
        let mut calls: Vec<&str> = self.extension_calls().collect();
        calls.sort_unstable();
        for call in calls {
            text += &format!(
                "    // Remove its attribute, or the function is registered twice.\n    {call}\n"
            );
        }
        for mount in &self.mounts {
            let place = mount.location;
            text += &format!("    // The routes of the router mounted at {place} are not known.\n");
        }
        text
    }
}
