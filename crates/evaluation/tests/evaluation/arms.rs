//! Arms, what they may spend, the names of their deliberations, and rates.

use fleet_deliberation::DeliberationId;
use fleet_evaluation::{
    Arm, BadArms, BadRates, Rate, Rates, SAMPLES_MAX, Sweep, Trial, check_arms, draws_another,
};

#[test]
fn best_of_n_needs_an_arm_to_go_by() {
    assert_eq!(check_arms(&Arm::ALL), Ok(()));
    assert_eq!(check_arms(&[Arm::One]), Ok(()));
    assert_eq!(check_arms(&[Arm::One, Arm::Best]), Err(BadArms::NoBudget));
    assert_eq!(check_arms(&[Arm::One, Arm::One]), Err(BadArms::Twice(Arm::One)));
    assert_eq!(check_arms(&[]), Err(BadArms::None));
    assert_eq!("two".parse::<Arm>(), Err(BadArms::Unknown("two".into())));
}

#[test]
fn best_of_n_goes_beyond_the_budget_by_less_than_one_sample() {
    for (budget, sample) in [(0, 10), (1, 10), (100, 10), (101, 10), (99, 10)] {
        let (mut drawn, mut spent) = (0, 0);
        while draws_another(drawn, spent, budget) {
            (drawn, spent) = (drawn + 1, spent + sample);
        }
        assert!(
            drawn >= 1 && spent >= budget && (spent - sample < budget || drawn == 1),
            "{budget}: {spent}"
        );
    }
}

#[test]
fn samples_without_tokens_come_to_an_end() {
    assert!(draws_another(SAMPLES_MAX - 1, 0, 100) && !draws_another(SAMPLES_MAX, 0, 100));
}

#[test]
fn the_id_of_a_deliberation_says_what_it_is_for() {
    let rates = "p=0.05,rho=1,q=0".parse::<Rates>().expect("rates");
    for rates in [None, Some(rates)] {
        for arm in Arm::ALL {
            let trial = Trial { task: "c-a_9".into(), rates, repetition: 3, arm, sample: 12, turn: 1 };
            let id = trial.id().expect("an id");
            assert_eq!(Trial::of(&id), Some(trial), "{id}");
        }
    }
    for other in ["eval", "eval.a.model.1.one.1", "eval.a.model.1.one.1.1.1", "eval.a.p1.1.one.1.1", "x"] {
        let id = DeliberationId::new(other).expect("an id");
        assert_eq!(Trial::of(&id), None, "{other}");
    }
}

#[test]
fn rates_are_read_with_defaults_and_nothing_is_rounded_in_silence() {
    let read = |text: &str| text.parse::<Rates>();
    assert_eq!(read(""), Ok(Rates::default()));
    let rates = read("q=0.9, p=1").expect("rates");
    assert_eq!(Rate::ALL.map(|rate| rates.get(rate)), [1.0, 0.3, 0.9]);
    assert_eq!(rates.to_string(), "p=1,rho=0.3,q=0.9");
    assert_eq!(read("p"), Err(BadRates::Part("p".into())));
    assert_eq!(read("r=1"), Err(BadRates::Part("r=1".into())));
    assert_eq!(read("p=0.1,p=0.2"), Err(BadRates::Twice("p")));
    for bad in ["-0.1", "1.1", "0.1234", "NaN", "inf", "x", ""] {
        assert_eq!(read(&format!("q={bad}")), Err(BadRates::Value { name: "q", value: bad.into() }));
    }
}

#[test]
fn a_sweep_has_both_its_ends_and_even_steps() {
    let sweep: Sweep = "p=0.2..0.9/8".parse().expect("a sweep");
    let points: Vec<f64> = sweep.points(Rates::default()).iter().map(|rates| rates.get(Rate::P)).collect();
    assert_eq!(points, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    let thirds: Sweep = "rho=0..1/4".parse().expect("a sweep");
    let points: Vec<f64> = thirds.points(Rates::default()).iter().map(|rates| rates.get(Rate::Rho)).collect();
    assert_eq!(points, [0.0, 0.333, 0.667, 1.0]);
    let narrow: Sweep = "q=0.5..0.502/9".parse().expect("a sweep");
    assert_eq!(narrow.points(Rates::default()).len(), 3);
}

#[test]
fn a_sweep_that_is_none_is_refused() {
    let read = |text: &str| text.parse::<Sweep>();
    for bad in ["", "p", "p=0.2", "p=0.2..0.9", "p=0.2/3", "x=0..1/3", "p=0..1/x", "p=0..1/-3"] {
        assert_eq!(read(bad), Err(BadRates::Sweep(bad.into())), "{bad}");
    }
    assert_eq!(read("p=0.9..0.2/3"), Err(BadRates::Order));
    assert_eq!(read("p=0..1/1"), Err(BadRates::Points(1)));
    assert_eq!(read("p=0..1/51"), Err(BadRates::Points(51)));
    assert_eq!(read("p=0..2/3"), Err(BadRates::Value { name: "p", value: "2".into() }));
}
