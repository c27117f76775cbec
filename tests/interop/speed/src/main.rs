//! The crate's side of tests/bench/mix_sphinx: it reads lines "OPERATION MS",
//! repeats the operation for so many milliseconds of processor time, and
//! answers with microseconds for each.  "nan": no such operation.
use std::hint::black_box;
use std::io::{BufRead, Write};

use rand::rngs::OsRng;
use sphinx_packet::constants::NODE_ADDRESS_LENGTH;
use sphinx_packet::header::delays::Delay;
use sphinx_packet::packet::builder::SphinxPacketBuilder;
use sphinx_packet::route::{Destination, DestinationAddressBytes, Node, NodeAddressBytes};
use sphinx_packet::{SURBMaterial, SphinxPacket, SURB};
use x25519_dalek::{PublicKey, StaticSecret};

const HOPS: usize = 4;
const PAYLOAD: usize = 2048 + 17;
const ACK_PAYLOAD: usize = 21 + 17;
const SLICE: u32 = 8; // between two looks at the clock

struct Rig {
    secret: StaticSecret,
    peer: PublicKey,
    nodes: Vec<Node>,
    delays: Vec<Delay>,
    dest: Destination,
    message: Vec<u8>,
    ack: Vec<u8>,
    packet: Vec<u8>,
    surb: Vec<u8>,
}

impl Rig {
    fn new() -> Rig {
        let secret = StaticSecret::from([1; 32]);
        let peer = PublicKey::from(&secret);
        let address = NodeAddressBytes::from_bytes([4; NODE_ADDRESS_LENGTH]);
        let mut rig = Rig {
            nodes: vec![Node::new(address, peer); HOPS],
            delays: vec![Delay::new_from_nanos(0); HOPS],
            dest: Destination::new(DestinationAddressBytes::from_bytes([3; 32]), [0; 16]),
            message: vec![0; 2048],
            ack: vec![0; 21],
            packet: Vec::new(),
            surb: Vec::new(),
            secret,
            peer,
        };
        rig.packet = rig.build(PAYLOAD, &rig.message).to_bytes();
        rig.surb = rig.surb().to_bytes();
        rig
    }

    fn build(&self, payload: usize, message: &[u8]) -> SphinxPacket {
        SphinxPacketBuilder::new()
            .with_payload_size(payload)
            .build_packet(message, &self.nodes, &self.dest, &self.delays)
            .unwrap()
    }

    // Takes its route by value, so the copies are part of the price.
    fn surb(&self) -> SURB {
        SURBMaterial::new(self.nodes.clone(), self.delays.clone(), self.dest.clone())
            .construct_SURB()
            .unwrap()
    }

    fn run(&self, what: &str) -> bool {
        match what {
            "x25519" => {
                black_box(self.secret.diffie_hellman(black_box(&self.peer)));
            }
            "packet" => {
                black_box(self.build(PAYLOAD, &self.message));
            }
            // Without Nym's encryption of the fragment, but with its two
            // multiplications.
            "data" => {
                black_box(self.build(ACK_PAYLOAD, &self.ack));
                let ephemeral = StaticSecret::random_from_rng(OsRng);
                black_box(PublicKey::from(&ephemeral));
                black_box(ephemeral.diffie_hellman(&self.peer));
                black_box(self.build(PAYLOAD, &self.message));
            }
            "surb" => {
                black_box(self.surb());
            }
            "reply" => {
                let surb = SURB::from_bytes(&self.surb).unwrap();
                black_box(surb.use_surb(&self.message, PAYLOAD).unwrap());
            }
            "unwrap" => {
                let packet = SphinxPacket::from_bytes(&self.packet).unwrap();
                black_box(packet.process(&self.secret).unwrap());
            }
            _ => return false,
        }
        true
    }
}

fn cpu_ns() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}

fn measure(rig: &Rig, what: &str, ms: f64) -> f64 {
    let begin = cpu_ns();
    let (mut n, mut spent) = (0u32, 0.0);
    while spent < ms * 1e6 {
        for _ in 0..SLICE {
            if !rig.run(what) {
                return f64::NAN;
            }
        }
        n += SLICE;
        spent = cpu_ns() - begin;
    }
    spent / 1000.0 / n as f64
}

fn main() {
    let rig = Rig::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mut words = line.split_whitespace();
        let (what, ms) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        println!("{:.3}", measure(&rig, what, ms.parse().unwrap_or(1.0)));
        std::io::stdout().flush().unwrap();
    }
}
