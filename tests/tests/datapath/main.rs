mod kernel;
use lb_ebpf::abi::Settings;
#[test]
fn loads() {
    for (ports, dnat, any) in [(0, 0, 0), (100, 0, 0), (100, 1, 0), (100, 1, 1)] {
        let mut settings: Settings = bytemuck::Zeroable::zeroed();
        settings.first_port = 10000;
        settings.ports = ports;
        settings.dnat = dnat;
        settings.any_port = any;
        settings.interfaces[0].index = 1;
        let k = kernel::Kernel::load(&settings);
        println!("{:?}", k.program().info().unwrap());
        println!("{:?}", k.run(&[0u8; 60], 1));
    }
}
