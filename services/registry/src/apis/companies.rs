//! The routes of companies. There is no `DELETE`, because registered companies are never deleted.

use piton::http::{Listing, Page, PageArray, Preconditions, WithETag};
use piton::prelude::*;

use crate::converters::Cnpj;
use crate::models::{
    Company, CompanyFields, CompanyFilter, CompanyOrder, CompanyPatch, HistoryEntry, NewCompany,
};
use crate::repositories::companies::{self, HistoryListing};

piton::blueprint!("/companies", tag = "companies");

/// The cache tag of all responses that show companies. One tag for all of them, because a change may
/// be visible in any list. The responses are cached for seconds only, because several processes that
/// share a database but no Redis are not told of each other's writes.
pub(crate) const COMPANIES: &str = "companies";

/// Registers a company.
///
/// Responds with 201, the company and its address, or with 409 if its CNPJ is registered already.
#[post("/")]
#[protected(api_key, scope = "companies:write")]
#[errors(409 = "A company with this CNPJ is registered already.")]
pub async fn create(
    db: Db,
    cache: Cache,
    Valid(Json(new)): Valid<Json<NewCompany>>,
) -> Result<Created<WithETag<Json<Company>>>> {
    let company =
        cache.invalidating([COMPANIES], async move { companies::insert(&db, new).await }).await?;
    Ok(Created::at(format!("/api/companies/{}", company.cnpj), with_etag(company)))
}

/// Lists companies.
///
/// Filtered by state, by a part of the name and by the time of the last change, in pages. Sorted by
/// name unless `sort` is set.
#[get("/")]
#[protected(api_key, scope = "companies:read")]
#[cached(ttl = "5s", tags = ["companies"], shared)]
pub async fn list(
    db: Db,
    Valid(asked): Valid<Listing<CompanyFilter, CompanyOrder>>,
) -> Result<Page<Company>> {
    companies::search(&db, &asked).await
}

/// Shows a company.
///
/// With its revision, and the times of its registration and last change.
#[get("/{cnpj}")]
#[protected(api_key, scope = "companies:read")]
#[cached(ttl = "5s", tags = ["companies"], shared)]
#[errors(404 = "No company with this CNPJ is registered.")]
pub async fn show(db: Db, Path(cnpj): Path<Cnpj>) -> Result<WithETag<Json<Company>>> {
    Ok(with_etag(companies::find(&db, cnpj).await?))
}

/// Replaces all fields of a company that can change.
///
/// Absent fields are removed; use `PATCH` to change some fields only. With `If-Match` only the version
/// with that `ETag` is replaced; otherwise the response is 412.
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
) -> Result<WithETag<Json<Company>>> {
    if fields.cnpj.is_some_and(|other| other != cnpj) {
        let fault = piton::FieldError::at(
            "/cnpj",
            "this is not the CNPJ of the path, and a CNPJ never changes",
        );
        return Err(Error::conflict("the company cannot be replaced by another").field_error(fault));
    }
    let replace = move |company: &Company| {
        preconditions.check(Some(&company.etag()))?;
        Ok(fields.apply_to(company))
    };
    let work = async move { companies::update(&db, cnpj, replace).await };
    Ok(with_etag(cache.invalidating([COMPANIES], work).await?))
}

/// Changes some fields of a company.
///
/// Absent fields keep their value; `"partners": null` means that they are not known. With `If-Match`
/// only the version with that `ETag` is changed; otherwise the response is 412.
#[patch("/{cnpj}")]
#[protected(api_key, scope = "companies:write")]
#[errors(404 = "No company with this CNPJ is registered.")]
pub async fn change(
    db: Db,
    cache: Cache,
    Path(cnpj): Path<Cnpj>,
    preconditions: Preconditions,
    Valid(Json(patch)): Valid<Json<CompanyPatch>>,
) -> Result<WithETag<Json<Company>>> {
    let change = move |company: &Company| {
        preconditions.check(Some(&company.etag()))?;
        Ok(patch.apply_to(company))
    };
    let work = async move { companies::update(&db, cnpj, change).await };
    Ok(with_etag(cache.invalidating([COMPANIES], work).await?))
}

fn with_etag(company: Company) -> WithETag<Json<Company>> {
    WithETag::new(company.etag(), Json(company))
}

/// Lists the history of a company, the latest change first.
///
/// Each entry is the company after one change; the oldest entry is its registration.
#[get("/{cnpj}/history")]
#[protected(api_key, scope = "companies:read")]
#[cached(ttl = "5s", tags = ["companies"], shared)]
#[errors(404 = "No company with this CNPJ is registered.")]
pub async fn history(
    db: Db,
    Path(cnpj): Path<Cnpj>,
    asked: HistoryListing,
) -> Result<PageArray<HistoryEntry>> {
    Ok(companies::history(&db, cnpj, &asked).await?.into_array())
}
