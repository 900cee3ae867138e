//! Companies over HTTP. There is no `DELETE`: what was registered stays registered.

use piton::http::{Items, Listing, Page, Preconditions, Tagged};
use piton::prelude::*;

use crate::converters::Cnpj;
use crate::models::{
    Company, CompanyFields, CompanyOrder, CompanyPatch, HistoryEntry, NewCompany, Search,
};
use crate::repositories::companies::{self, Changes};

piton::blueprint!("/companies", tag = "companies");

/// What the answers that show companies depend on. One change may be seen in any list, so that it is
/// one tag for them all. They are kept for a short while only: where several processes share a
/// database but no Redis, one does not hear of another's writes.
pub(crate) const COMPANIES: &str = "companies";

/// Registers a company.
///
/// Answers 201 with the company and its address, 409 if its CNPJ is registered already.
#[post("/")]
#[protected(api_key, scope = "companies:write")]
#[errors(409 = "A company with this CNPJ is registered already.")]
pub async fn create(
    db: Db,
    cache: Cache,
    Valid(Json(new)): Valid<Json<NewCompany>>,
) -> Result<Created<Tagged<Json<Company>>>> {
    let company =
        cache.invalidating([COMPANIES], async move { companies::insert(&db, new).await }).await?;
    Ok(Created::at(format!("/api/companies/{}", company.cnpj), tagged(company)))
}

/// Finds companies.
///
/// By state, by a part of the name, by when they were written, page by page; by name unless `sort` says
/// otherwise.
#[get("/")]
#[protected(api_key, scope = "companies:read")]
#[cached(ttl = "5s", tags = ["companies"], shared)]
pub async fn list(
    db: Db,
    Valid(asked): Valid<Listing<Search, CompanyOrder>>,
) -> Result<Page<Company>> {
    companies::search(&db, &asked).await
}

/// Shows a company.
///
/// As it is registered here, with how often and when it was changed.
#[get("/{cnpj}")]
#[protected(api_key, scope = "companies:read")]
#[cached(ttl = "5s", tags = ["companies"], shared)]
#[errors(404 = "No company with this CNPJ is registered.")]
pub async fn show(db: Db, Path(cnpj): Path<Cnpj>) -> Result<Tagged<Json<Company>>> {
    Ok(tagged(companies::find(&db, cnpj).await?))
}

/// Replaces all of a company that can change.
///
/// What is not given is not known any more: to change only some of it there is `PATCH`. With
/// `If-Match` only the version of that `ETag` is replaced; 412 if somebody else has changed it since.
#[put("/{cnpj}")]
#[protected(api_key, scope = "companies:write")]
#[errors(
    404 = "No company with this CNPJ is registered.",
    409 = "The body has another CNPJ than the path: a company cannot be replaced by another."
)]
pub async fn replace(
    db: Db,
    cache: Cache,
    Path(cnpj): Path<Cnpj>,
    preconditions: Preconditions,
    Valid(Json(fields)): Valid<Json<CompanyFields>>,
) -> Result<Tagged<Json<Company>>> {
    if fields.cnpj.is_some_and(|other| other != cnpj) {
        let fault =
            piton::Fault::at("/cnpj", "this is not the CNPJ of the path, and a CNPJ never changes");
        return Err(Error::conflict("the company cannot be replaced by another").fault(fault));
    }
    let replace = move |company: &Company| {
        preconditions.check(Some(&company.etag()))?;
        Ok(fields.replacing(company))
    };
    let work = async move { companies::update(&db, cnpj, replace).await };
    Ok(tagged(cache.invalidating([COMPANIES], work).await?))
}

/// Changes some of a company.
///
/// What is not given stays as it is; `"partners": null` says that they are not known. With `If-Match`
/// only the version of that `ETag` is changed; 412 if somebody else has changed it since.
#[patch("/{cnpj}")]
#[protected(api_key, scope = "companies:write")]
#[errors(404 = "No company with this CNPJ is registered.")]
pub async fn change(
    db: Db,
    cache: Cache,
    Path(cnpj): Path<Cnpj>,
    preconditions: Preconditions,
    Valid(Json(patch)): Valid<Json<CompanyPatch>>,
) -> Result<Tagged<Json<Company>>> {
    let change = move |company: &Company| {
        preconditions.check(Some(&company.etag()))?;
        Ok(patch.changing(company))
    };
    let work = async move { companies::update(&db, cnpj, change).await };
    Ok(tagged(cache.invalidating([COMPANIES], work).await?))
}

fn tagged(company: Company) -> Tagged<Json<Company>> {
    Tagged::new(company.etag(), Json(company))
}

/// Shows what became of a company, the latest change first.
///
/// Each entry is the company as it was after one change; the oldest is its registration.
#[get("/{cnpj}/history")]
#[protected(api_key, scope = "companies:read")]
#[cached(ttl = "5s", tags = ["companies"], shared)]
#[errors(404 = "No company with this CNPJ is registered.")]
pub async fn history(
    db: Db,
    Path(cnpj): Path<Cnpj>,
    asked: Changes,
) -> Result<Items<HistoryEntry>> {
    Ok(companies::history(&db, cnpj, &asked).await?.items_alone())
}
