use axum::response::IntoResponse;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::extractor::ALLOW_EMPTY_VALUE;
use super::*;
use crate::convert::{Bounded, List};

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Search {
    /// Its years.
    year: Option<List<u16, 3>>,
    #[serde(rename = "title[contains]", alias = "q")]
    title: Option<String>,
    stars: Option<Bounded<1, 5>>,
    kind: Option<Kind>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Novel,
    Essay,
}

#[derive(Debug)]
struct Order;

impl SortBy for Order {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("title", "lower(title)"), ("year", "printed_in"), ("id", "id")];
    const DEFAULT: &'static str = "-year,title";
    const UNIQUE: &'static str = "id";
}

type BookListing = Listing<Search, Order>;

fn listing(query: &str) -> BookListing {
    BookListing::from_query(query).unwrap()
}

/// Returns the names of the invalid parameters, in order.
fn invalid_names(query: &str) -> Vec<String> {
    let error = BookListing::from_query(query).unwrap_err();
    assert_eq!(error.status(), 422);
    error.field_errors().iter().filter_map(|fault| fault.parameter.clone()).collect()
}

#[test]
fn a_parameter_that_is_absent_or_empty_has_its_default() {
    for query in ["", "page=&per_page=&sort=&year=&q=&title%5Bcontains%5D="] {
        let listing = listing(query);
        assert_eq!(listing.filter, Search::default());
        assert_eq!(listing.paging, Paging { page: 1, per_page: 20 });
        assert_eq!(listing.sort.to_string(), "-year,title");
    }
    let few = Listing::<NoFilter, Unsorted, 5, 10>::from_query("page=2").unwrap();
    assert_eq!(few.paging.offset(), 5);
}

#[test]
fn filter_order_and_page_are_read_together() {
    let listing = listing(
        "sort=title&title[contains]=caf%C3%A9&page=3&year=2024,2025&per_page=7&stars=5&kind=essay",
    );
    assert_eq!(listing.filter.kind, Some(Kind::Essay));
    assert_eq!(listing.filter.title.as_deref(), Some("café"));
    assert_eq!(listing.filter.year.unwrap().into_vec(), [2024, 2025]);
    assert_eq!(listing.filter.stars.unwrap().get(), 5);
    assert_eq!((listing.paging.offset(), listing.paging.per_page), (14, 7));
}

#[test]
fn every_invalid_parameter_is_named() {
    assert_eq!(
        invalid_names("page=0&per_page=101&sort=size&year=x&odd="),
        ["odd", "page", "per_page", "sort", "year"]
    );
    assert_eq!(invalid_names("page=1&page=2"), ["page"]);
    assert_eq!(invalid_names("year=1,2,3,4&stars=6"), ["year", "stars"]);
    for query in ["page=+1", "page=%2B1", "page=-1", "page=1.0", "page=4294967296", "page=%D9%A1"] {
        assert_eq!(invalid_names(query), ["page"], "{query}");
    }
    for query in
        ["sort=title,title", "sort=title,-title", "sort=,title", "sort=title,", "sort=--title"]
    {
        assert_eq!(invalid_names(query), ["sort"], "{query}");
    }
}

#[test]
fn an_unknown_parameter_is_rejected_with_the_known_ones() {
    let error = Listing::<NoFilter>::from_query("sort=title").unwrap_err();
    assert_eq!(
        error.field_errors()[0].detail,
        "unknown parameter; expected one of `page`, `per_page`"
    );
}

#[test]
fn every_order_ends_with_the_unique_column_and_has_it_once() {
    let columns = |query: &str| listing(query).sort.columns().collect::<Vec<_>>();
    assert_eq!(columns(""), [("printed_in", true), ("lower(title)", false), ("id", false)]);
    assert_eq!(columns("sort=-id,title"), [("id", true), ("lower(title)", false)]);
    assert_eq!(Sort::<Unsorted>::default().columns().count(), 0);
}

fn links(query: &str, total: u64) -> String {
    let response = listing(query).page(vec![1], total).into_response();
    let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
    link.unwrap_or_default()
}

#[test]
fn a_page_links_to_the_others_with_the_same_query() {
    assert_eq!(
        links("q=a%26b%3E&page=2&per_page=10&year=", 35),
        "<?q=a%26b%3E&per_page=10&page=1>; rel=\"first\", <?q=a%26b%3E&per_page=10&page=1>; rel=\"prev\", \
         <?q=a%26b%3E&per_page=10&page=3>; rel=\"next\", <?q=a%26b%3E&per_page=10&page=4>; rel=\"last\""
    );
    assert_eq!(links("", 1), "<?page=1>; rel=\"first\", <?page=1>; rel=\"last\"");
    assert!(links("page=9", 30).contains("<?page=2>; rel=\"prev\""), "the last there is");
    assert_eq!(links("", 0), "");
}

#[test]
fn a_page_has_the_size_of_the_whole_list() {
    let page = listing("per_page=2").page(vec!["a", "b"], 5).map(str::len);
    let json = serde_json::to_value(&page).unwrap();
    assert_eq!(json, json!({ "items": [1, 1], "page": 1, "per_page": 2, "total": 5, "pages": 3 }));
}

#[test]
fn the_schema_has_every_parameter_with_its_bounds() {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = BookListing::json_schema(&mut generator).to_value();
    let parameters = schema["properties"].as_object().unwrap();
    let names: Vec<&str> = parameters.keys().map(String::as_str).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["kind", "page", "per_page", "sort", "stars", "title[contains]", "year"]);
    assert_eq!(parameters["per_page"]["maximum"], 100);
    assert_eq!(parameters["per_page"]["default"], 20);
    assert_eq!(
        parameters["sort"]["items"]["enum"],
        json!(["title", "year", "id", "-title", "-year", "-id"])
    );
    assert!(parameters.values().all(|schema| schema[ALLOW_EMPTY_VALUE] == true), "{schema}");
    assert_eq!(parameters["sort"]["default"], json!(["-year", "title"]));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(Page::<u32>::schema_name(), "PageOfuint32");
}

/// Returns the query of the link `rel` in the header `Link`.
fn link(page: Page<u64>, rel: &str) -> Option<String> {
    let response = page.into_response();
    let links = response.headers().get("link")?.to_str().unwrap().to_owned();
    let link = links.split(", ").find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
    let (query, _) = link.strip_prefix("<?")?.split_once('>')?;
    Some(query.to_owned())
}

/// Returns one page of the numbers below `total`, of which `fitting` fit from each offset on.
fn page_of(query: &str, total: u64, fitting: fn(u64) -> u64) -> Page<u64> {
    let listing = Listing::<Search, Order, 10, 1000>::from_query(query).unwrap();
    let begin = listing.paging.offset().unsigned_abs().min(total);
    let end = begin + u64::from(listing.paging.per_page).min(fitting(begin)).min(total - begin);
    listing.page_up_to((begin..end).collect(), total)
}

#[test]
fn the_links_of_cut_pages_lead_through_each_item_once() {
    /// The number of entries that fit, by the position of the page.
    type Fitting = fn(u64) -> u64;
    let cases: [Fitting; 5] = [|_| 1000, |_| 37, |_| 1, |at| 1 + at * 7 % 90, |at| 90 - at / 12];
    for (case, fitting) in cases.into_iter().enumerate() {
        for start in ["per_page=1000", "per_page=997&q=a%26b", "", "per_page=100&stars=5"] {
            let (mut query, mut seen) = (Some(start.to_owned()), Vec::<u64>::new());
            while let Some(asked) = query {
                let page = page_of(&asked, 1000, fitting);
                assert!(page.items.len() <= page.per_page as usize, "{case} {asked}");
                assert_eq!(page.pages, 1000_u64.div_ceil(page.per_page.into()));
                seen.extend(&page.items);
                query = link(page, "next");
                let filters = ["q=a%26b", "stars=5"].into_iter().filter(|it| start.contains(it));
                let next = query.clone().unwrap_or_else(|| start.into());
                assert!(filters.into_iter().all(|filter| next.contains(filter)), "{case} {next}");
            }
            assert!(seen.iter().copied().eq(0..1000), "{case} {start}: {} entries", seen.len());
        }
    }
}

#[test]
fn a_cut_page_adjoins_its_next_and_its_previous_page() {
    for asked in ["page=2&per_page=997", "page=3&per_page=120", "page=7&per_page=64"] {
        let page = page_of(asked, 5000, |_| 50);
        let (first, last) = (page.items[0], *page.items.last().unwrap());
        let next = page_of(&link(page.clone(), "next").unwrap(), 5000, |_| 50);
        assert_eq!(next.items[0], last + 1, "{asked}");
        let previous = page_of(&link(page, "prev").unwrap(), 5000, |_| 50);
        assert_eq!(*previous.items.last().unwrap() + 1, first, "{asked}");
    }
}

#[test]
fn a_long_query_is_only_in_the_link_to_the_next_page() {
    let long = "x".repeat(3000);
    let listing = listing(&format!("title[contains]={long}&page=2&per_page=1"));
    let response = listing.page(vec![1], 5).into_response();
    let links = response.headers()["link"].to_str().unwrap();
    assert!(links.contains(&long) && links.contains("page=3>; rel=\"next\""), "{links}");
    assert_eq!(links.matches("rel=").count(), 1);
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Flat {
    #[serde(default, alias = "q")]
    title: Option<String>,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(flatten)]
    printed: Printed,
    #[serde(flatten)]
    sold: Option<Sold>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Printed {
    #[serde(default)]
    year: Option<u16>,
    #[serde(default, alias = "weight")]
    grams: u32,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
struct Sold {
    copies: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kinds {
    Novel { pages: u32 },
    Essay { topic: String },
}

#[derive(Debug, Deserialize, JsonSchema)]
struct AnyNames {
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, Value>,
}

/// Returns the names of the parameters that a list with the filter `F` rejects, and the messages.
fn errors<F: DeserializeOwned + JsonSchema + std::fmt::Debug>(
    query: &str,
) -> Vec<(String, String)> {
    let error = Listing::<F, Order>::from_query(query).expect_err(query);
    assert_eq!(error.status(), 422);
    let faults = error.field_errors().iter();
    faults.map(|it| (it.parameter.clone().unwrap_or_default(), it.detail.clone())).collect()
}

#[test]
fn flattened_filters_are_read_as_their_types_and_unknown_parameters_are_rejected() {
    let read = |query: &str| Listing::<Flat, Order>::from_query(query).unwrap();
    let flat = read("q=5&tag=a&year=2024&tag=b,c&copies=7&weight=3&page=2&sort=title&sort=-year");
    assert_eq!(flat.filter.title.as_deref(), Some("5"));
    assert_eq!(flat.filter.tag, ["a", "b", "c"]);
    assert_eq!((flat.filter.printed.year, flat.filter.printed.grams), (Some(2024), 3));
    assert_eq!(flat.filter.sold, Some(Sold { copies: 7 }));
    assert_eq!((flat.paging.page, &*flat.sort.to_string()), (2, "title,-year"));
    let empty = read("q=&year=&copies=&weight=&tag=&page=");
    assert_eq!((empty.filter.title, empty.filter.sold), (None, None));

    let only = "unknown parameter; expected one of `title`, `tag`, `year`, `grams`, `copies`, `sort`, `page`, `per_page`";
    for query in ["odd=1", "odd=1&year=2024&copies=1", "odd=", "odd=1&odd=2"] {
        let [(name, what)] = &errors::<Flat>(query)[..] else { panic!("{query}") };
        assert_eq!((&**name, sorted(what)), ("odd", sorted(only)), "{query}");
    }
    let names = |query| errors::<Flat>(query).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names("copies=x"), ["copies"]);
    assert_eq!(names("year=70000&year2=1"), ["year2", "year"]);
    assert_eq!(names("copies=x&weight=1&odd="), ["odd", "copies"]);
    assert_eq!(names("page=0&odd=1&extra=2"), ["odd", "extra", "page"]);
}

/// Returns the sorted words of `text`, because features of the build change the order of properties.
fn sorted(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split(['`', ' ', ',']).collect();
    words.sort_unstable();
    words
}

#[test]
fn an_enum_as_a_filter_rejects_the_parameters_of_its_other_variants() {
    let read = Listing::<Kinds, Order>::from_query("kind=novel&pages=5&per_page=1").unwrap();
    assert!(matches!(read.filter, Kinds::Novel { pages: 5 }));
    let read = Listing::<Kinds, Order>::from_query("topic=5&kind=essay").unwrap();
    assert!(matches!(read.filter, Kinds::Essay { topic } if topic == "5"));
    let other = errors::<Kinds>("kind=novel&pages=5&topic=x");
    assert_eq!(other, [("topic".into(), "cannot be combined with the other parameters".into())]);
    assert_eq!(errors::<Kinds>("kind=novel&pages=5&odd=x")[0].0, "odd");
    assert_eq!(errors::<Kinds>("kind=poem&pages=5")[0].0, "kind");
}

#[test]
fn a_filter_that_accepts_any_name_rejects_none() {
    let open = Listing::<AnyNames, Order>::from_query("a=1&b=x&page=2").unwrap();
    assert_eq!(open.filter.rest.len(), 2);
}

#[test]
fn the_links_keep_a_list_as_it_was_sent() {
    let response = Listing::<Flat, Order>::from_query("tag=a,b%2Cc&tag=d&page=1&per_page=1")
        .unwrap()
        .page(vec![1], 2)
        .into_response();
    let links = response.headers()["link"].to_str().unwrap();
    assert!(links.contains("<?tag=a,b%2Cc&tag=d&per_page=1&page=2>; rel=\"next\""), "{links}");
}

#[test]
fn a_mistyped_name_in_brackets_is_rejected() {
    #[derive(Debug, Deserialize, JsonSchema)]
    struct WithRange {
        #[expect(dead_code, reason = "read by Debug alone")]
        range: Option<Range>,
        #[expect(dead_code, reason = "read by Debug alone")]
        age: Option<u8>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "read by Debug alone")]
    struct Range {
        min: Option<u8>,
    }

    type Ranged = Listing<WithRange>;
    for name in
        ["age[min", "age[", "age]", "range[odd]", "range[min]x", "range[min][odd]", "age[min]"]
    {
        for query in [format!("{name}=5"), format!("range[min]=1&{name}=5")] {
            let error = Ranged::from_query(&query).unwrap_err();
            let parameter = error.field_errors()[0].parameter.as_deref();
            assert!(
                parameter == Some(name) || name.starts_with("range[min]"),
                "{query}: {error:?}"
            );
        }
    }
    assert!(Ranged::from_query("range[min]=5&age=1").is_ok());
    let deep = format!("range{}=5", "[min]".repeat(100_000));
    assert_eq!(Ranged::from_query(&deep).unwrap_err().status(), 422);
}
