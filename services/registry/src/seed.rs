//! `registry seed`: companies to try the registry with. They are made up, but their numbers have
//! the right check digits, and they are the same each time.

use piton::chrono::Utc;
use piton::clap::{Arg, value_parser};
use piton::prelude::*;

use crate::apis::COMPANIES;
use crate::converters::{Cnpj, State};
use crate::models::{Company, NewCompany, Partner};
use crate::repositories::companies;
use crate::services::register::Registered;

const FAMILIES: [&str; 24] = [
    "Silva",
    "Souza",
    "Oliveira",
    "Araújo",
    "Pereira",
    "Lima",
    "Gonçalves",
    "Ribeiro",
    "Carvalho",
    "Almeida",
    "Conceição",
    "Moreira",
    "Teixeira",
    "Magalhães",
    "Brandão",
    "Nogueira",
    "Antunes",
    "Figueirêdo",
    "Simões",
    "Bragança",
    "Fontes",
    "Queiroz",
    "Assunção",
    "Valença",
];
const GIVEN: [&str; 16] = [
    "Ana", "João", "Márcia", "Antônio", "Luís", "Cecília", "Caio", "Helena", "José", "Inês",
    "Otávio", "Lúcia", "Tomás", "Beatriz", "Raul", "Íris",
];
const TRADES: [&str; 20] = [
    "Padaria",
    "Transportes",
    "Construções",
    "Comércio de Café",
    "Tecnologia",
    "Farmácia",
    "Móveis",
    "Metalúrgica",
    "Laticínios",
    "Confecções",
    "Gráfica",
    "Hotelaria",
    "Agropecuária",
    "Auto Peças",
    "Ótica",
    "Pescados",
    "Vinícola",
    "Engenharia",
    "Papelaria",
    "Energia Solar",
];
const FORMS: [&str; 4] = ["Ltda", "S.A.", "ME", "EIRELI"];

/// Most companies are where most people are.
const PLACES: [State; 20] = [
    State::Sp,
    State::Sp,
    State::Sp,
    State::Sp,
    State::Sp,
    State::Sp,
    State::Mg,
    State::Mg,
    State::Rj,
    State::Rj,
    State::Pr,
    State::Rs,
    State::Sc,
    State::Ba,
    State::Go,
    State::Pe,
    State::Ce,
    State::Df,
    State::Es,
    State::Pa,
];

/// They are written in one transaction, and a service that runs beside waits for its end: it must be
/// shorter than the service's patience (`db.busy_timeout`).
const MOST: i64 = 10_000;

/// The verb.
#[must_use]
pub fn verb() -> Verb {
    Verb::new("seed", "Register made-up companies, to have something to look at")
        .needs::<Db>()
        .needs::<Cache>()
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32).range(1..=MOST))
                .default_value("300")
                .help("How many; those that are there already are left as they are"),
        )
        .run(|app, arguments| async move {
            let count = *arguments.get_one::<u32>("count").expect("it has a default");
            let db = app.db();
            let work = async move { seed(&db, count).await };
            let inserted = app.cache().invalidating([COMPANIES], work).await?;
            let there = count - inserted;
            println!("Registered {inserted} companies; {there} were there already.");
            println!("Look at them: start `registry`, then");
            println!("  curl 'http://127.0.0.1:5000/api/companies?state=SP&q=cafe'");
            Ok::<_, Error>(())
        })
}

/// Registers `count` companies in one transaction, and says how many of them were new.
///
/// # Errors
/// Those of the database; then nothing was registered.
pub async fn seed(db: &Db, count: u32) -> Result<u32> {
    let mut tx = db.begin().await?;
    let mut inserted = 0;
    for number in 0..count {
        let company = company(number);
        let known: Option<i64> =
            tx.one("SELECT revision FROM companies WHERE cnpj = $1", (company.cnpj,)).await?;
        if known.is_none() {
            companies::insert_in(&mut tx, &company).await?;
            inserted += 1;
        }
    }
    tx.commit().await?;
    Ok(inserted)
}

/// The company with this number, always the same.
fn company(number: u32) -> Company {
    let mut dice = Dice(u64::from(number) + 1);
    let family = dice.one_of(&FAMILIES);
    let partners = (0..dice.below(4)).map(|_| partner(&mut dice)).collect::<Vec<_>>();
    let name = format!("{} {} {}", dice.one_of(&TRADES), family, dice.one_of(&FORMS));
    let new = NewCompany {
        cnpj: cnpj(number, &mut dice),
        name,
        state: dice.one_of(&PLACES),
        partners: (!partners.is_empty()).then_some(partners),
    };
    new.registered(Utc::now())
}

/// What a register that is made up knows of a CNPJ: always the same, and of one in ten nothing.
#[must_use]
pub fn known_elsewhere(cnpj: Cnpj) -> Option<Registered> {
    let number = cnpj
        .as_str()
        .bytes()
        .fold(0, |number: u64, byte| number.wrapping_mul(37).wrapping_add(u64::from(byte)));
    let mut dice = Dice(number);
    if dice.below(10) == 0 {
        return None;
    }
    let (trade, family) = (dice.one_of(&TRADES), dice.one_of(&FAMILIES));
    let partners = (0..dice.below(4)).map(|_| partner(&mut dice).name).collect();
    Some(Registered {
        cnpj,
        name: format!("{trade} {family} {}", dice.one_of(&FORMS)),
        trade_name: (dice.below(2) == 0).then(|| format!("{trade} {family}")),
        state: Some(dice.one_of(&PLACES)),
        standing: Some("ATIVA".to_owned()),
        partners,
    })
}

fn partner(dice: &mut Dice) -> Partner {
    let name = format!("{} {}", dice.one_of(&GIVEN), dice.one_of(&FAMILIES));
    Partner { name, cpf: None, share: None }
}

/// One in five has letters, as those given out since July 2026 do. The number is in it, so that no
/// two are alike.
fn cnpj(number: u32, dice: &mut Dice) -> Cnpj {
    let mut base = *b"000000000001";
    for (place, digit) in format!("{number:06}").bytes().enumerate() {
        base[place + 2] = digit;
    }
    base[0] = b'1' + u8::try_from(dice.below(9)).expect("below nine");
    if number % 5 == 4 {
        base[1] = b'A' + u8::try_from(dice.below(26)).expect("below 26");
    }
    Cnpj::from_base(base).expect("digits and capital letters, not all alike")
}

/// Chance that is the same each time: a linear congruential generator (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let limit = u64::try_from(limit).expect("a small number");
        usize::try_from((self.0 >> 33) % limit).expect("below a small number")
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_companies_are_alike_and_each_is_the_same_each_time() {
        let numbers: HashSet<Cnpj> = (0..1000).map(|number| company(number).cnpj).collect();
        assert_eq!(numbers.len(), 1000);
        assert_eq!(company(7).name, company(7).name);
        assert!(
            numbers.iter().any(|cnpj| cnpj.as_str().contains(|c: char| c.is_ascii_uppercase()))
        );
    }
}
