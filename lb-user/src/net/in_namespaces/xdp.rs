//! XDP features and attached programs.

use super::{Namespace, allowed};
use crate::net::{XdpFeatures, XdpSupport, link_by_name, xdp_features};

#[test]
fn a_veth_takes_redirected_frames_only_while_its_far_end_has_gro() {
    if !allowed() {
        return;
    }
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect("l0", &far, "s0");
    let features = || {
        near.enter(async || {
            let index = link_by_name("l0").await.unwrap().index;
            match xdp_features(index).unwrap() {
                XdpSupport::Known(features) => Some(features),
                // A kernel before 6.3 has nothing to test.
                XdpSupport::Unknown => None,
            }
        })
    };
    let Some(without) = features() else { return };
    assert!(without.contains(XdpFeatures::BASIC) && without.contains(XdpFeatures::REDIRECT), "{without:?}");
    assert!(!without.contains(XdpFeatures::RECEIVES_REDIRECTED), "{without:?}");
    far.exec("ethtool -K s0 gro on");
    assert!(features().unwrap().contains(XdpFeatures::RECEIVES_REDIRECTED));
    far.exec("ethtool -K s0 gro off");
    assert_eq!(features().unwrap(), without);
}

#[test]
fn an_interface_that_does_not_exist_has_no_features() {
    if !allowed() {
        return;
    }
    let error = Namespace::new().enter(async || xdp_features(4_000_000).unwrap_err());
    assert!(error.to_string().starts_with("cannot ask interface 4000000"), "{error}");
}
