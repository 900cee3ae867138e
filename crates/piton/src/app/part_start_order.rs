//! Plans the parts to start: those that routes, commands or the app ask for, and their dependencies, each after its
//! own dependencies.

use std::any::TypeId;

use crate::http::{ArgumentType, Route, descriptor_of};
use crate::part::{ArgumentSource, Dependencies, Dependency, PartDescriptor};

/// Returns the parts to start, each after its dependencies.
///
/// # Errors
/// All problems: parts that are not registered, that the app disables, or that depend on themselves.
pub(crate) fn plan(
    routes: &[Route],
    asked: &Dependencies,
    disabled: &Dependencies,
) -> Result<Vec<&'static PartDescriptor>, Vec<String>> {
    let disabled = disabled.0.iter().map(|need| need.id).collect();
    let mut planner = Planner { disabled, ..Planner::default() };
    for route in routes {
        for need in route.needed_parts() {
            planner.add(*need, &|| format!("the handler `{}` ({})", route.handler, route.source));
        }
        // By argument type as well, because a route made by hand declares nothing else.
        for argument in &route.arguments {
            for need in needs_of(argument) {
                planner
                    .add(need, &|| format!("the handler `{}` ({})", route.handler, route.source));
            }
        }
    }
    for need in &asked.0 {
        planner.add(*need, &|| "the app".to_owned());
    }
    if planner.problems.is_empty() { Ok(planner.order) } else { Err(planner.problems) }
}

/// Returns the part that an argument is, or comes from.
fn needs_of(argument: &ArgumentType) -> Vec<Dependency> {
    let mut needs = Dependencies::default();
    if let Some(entry) = descriptor_of(argument.id) {
        needs.0.push(Dependency { id: (entry.id)(), type_name: argument.name });
    }
    for source in inventory::iter::<ArgumentSource>().filter(|source| (source.id)() == argument.id)
    {
        (source.dependencies)(&mut needs);
    }
    needs.0
}

#[derive(Default)]
struct Planner {
    order: Vec<&'static PartDescriptor>,
    /// The parts between the requested one and the present one, to detect cycles.
    path: Vec<TypeId>,
    disabled: Vec<TypeId>,
    problems: Vec<String>,
}

impl Planner {
    fn add(&mut self, need: Dependency, who: &dyn Fn() -> String) {
        if self.order.iter().any(|entry| (entry.id)() == need.id) {
            return;
        }
        let Some(entry) = descriptor_of(need.id) else {
            return self.refuse(format!(
                "{} asks for the part `{}`, which is not registered\n    fix: add `piton::part!({1});` next to its `impl Part`",
                who(),
                need.type_name
            ));
        };
        if self.disabled.contains(&need.id) {
            return self.refuse(format!(
                "{} asks for the part `{}`, and the app disables it\n    fix: remove the argument, or `App::disable`",
                who(),
                entry.name
            ));
        }
        if self.path.contains(&need.id) {
            return self
                .refuse(format!("the part `{}` depends on itself, through others", entry.name));
        }
        self.path.push(need.id);
        let mut needs = Dependencies::default();
        (entry.dependencies)(&mut needs);
        for inner in needs.0 {
            self.add(inner, &|| format!("the part `{}`", entry.name));
        }
        self.path.pop();
        self.order.push(entry);
    }

    fn refuse(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::{self, Launch, Part};

    macro_rules! parts {
        ($($name:ident needs [$($need:ident)*])*) => {$(
            #[derive(Clone)]
            struct $name;
            impl Part for $name {
                const NAME: &'static str = stringify!($name);
                type Settings = ();
                fn dependencies(dependencies: &mut Dependencies) { $(dependencies.add::<$need>();)* let _ = dependencies; }
                async fn start(_: (), _: &Launch) -> Result<Self, part::Error> { Ok(Self) }
            }
        )*};
    }

    parts! {
        Roof needs [Walls]
        Walls needs [Floor]
        Floor needs []
        Hen needs [Egg]
        Egg needs [Hen]
        Stranger needs []
    }
    crate::part!(Roof);
    crate::part!(Walls);
    crate::part!(Floor);
    crate::part!(Hen);
    crate::part!(Egg);

    fn names<P: Part>() -> Result<Vec<&'static str>, Vec<String>> {
        let mut needs = Dependencies::default();
        needs.add::<P>();
        plan(&[], &needs, &Dependencies::default())
            .map(|plan| plan.iter().map(|entry| entry.name).collect())
    }

    #[test]
    fn a_part_starts_after_what_it_needs_and_nothing_else_starts() {
        assert_eq!(names::<Roof>().unwrap(), ["Floor", "Walls", "Roof"]);
    }

    #[test]
    fn a_cycle_is_refused() {
        assert!(names::<Hen>().unwrap_err()[0].contains("depends on itself"));
    }

    #[test]
    fn a_part_that_is_not_registered_is_refused_with_the_fix() {
        assert!(names::<Stranger>().unwrap_err()[0].contains("piton::part!("));
    }

    async fn lives_under_a_roof(_: Roof) {}

    #[test]
    fn a_route_made_by_hand_asks_by_its_arguments() {
        let routes = [crate::http::get("/", lives_under_a_roof)];
        assert_eq!(
            plan(&routes, &Dependencies::default(), &Dependencies::default()).unwrap().len(),
            3
        );
    }

    #[test]
    fn a_disabled_part_is_refused_as_a_dependency_as_well() {
        let routes = [crate::http::get("/", lives_under_a_roof)];
        let mut without = Dependencies::default();
        without.add::<Walls>();
        let refused = plan(&routes, &Dependencies::default(), &without).err().unwrap();
        assert!(refused[0].contains("the part `Roof` asks for the part `Walls`"), "{refused:?}");
    }
}
