// Vectors for tests/unit/mix_*_test.c; see ../../README.
use sha2::{Digest, Sha256};
use sphinx_packet::constants::*;
use sphinx_packet::header::delays::Delay;
use sphinx_packet::packet::builder::SphinxPacketBuilder;
use sphinx_packet::route::{Destination, DestinationAddressBytes, Node, NodeAddressBytes};
use sphinx_packet::version::Version;
use sphinx_packet::{ProcessedPacketData, SURBMaterial, SphinxPacket, SURB};
use x25519_dalek::{PublicKey, StaticSecret};

fn put(name: &str, value: impl AsRef<[u8]>) {
    println!("{} = {}", name, hex::encode(value));
}

fn num(name: &str, value: u64) {
    println!("{} = {}", name, value);
}

fn sha(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    Sha256::digest(bytes.as_ref()).to_vec()
}

// Byte i of every message is (31 i + 7) mod 256.
fn message(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((31 * i + 7) & 255) as u8).collect()
}

// The secret of hop i (from 1) is 32 bytes of value i.
fn secret(hop: usize) -> StaticSecret {
    StaticSecret::from([hop as u8; 32])
}

// The address of hop i is 10.0.0.i:1789 as Nym encodes it.
fn address(hop: usize) -> NodeAddressBytes {
    let mut a = [0u8; NODE_ADDRESS_LENGTH];
    a[..7].copy_from_slice(&[4, 6, 0xfd, 10, 0, 0, hop as u8]);
    NodeAddressBytes::from_bytes(a)
}

fn route(hops: usize) -> (Vec<Node>, Vec<Delay>, Destination) {
    let nodes = (1..=hops)
        .map(|i| Node::new(address(i), PublicKey::from(&secret(i))))
        .collect();
    let delays = (1..=hops)
        .map(|i| Delay::new_from_nanos(1_000_000 * i as u64))
        .collect();
    let mut ident = [0u8; 16];
    ident[15] = 0x77;
    let dest = Destination::new(DestinationAddressBytes::from_bytes([0xd0; 32]), ident);
    (nodes, delays, dest)
}

fn initial() -> StaticSecret {
    let mut x = [0u8; 32];
    for (i, b) in x.iter_mut().enumerate() {
        *b = 0x10 + i as u8;
    }
    StaticSecret::from(x)
}

fn follow(mut packet: SphinxPacket, full: bool) {
    for hop in 1.. {
        let tag = *packet
            .header
            .compute_expanded_shared_secret(&secret(hop))
            .replay_tag();
        put(&format!("tag{}", hop), tag);
        let done = packet.process(&secret(hop)).expect("process");
        num(&format!("version{}", hop), done.version.value() as u64);
        match done.data {
            ProcessedPacketData::ForwardHop {
                next_hop_packet,
                next_hop_address,
                delay,
            } => {
                let bytes = next_hop_packet.to_bytes();
                put(&format!("next{}", hop), next_hop_address.as_bytes());
                num(&format!("delay{}", hop), delay.to_nanos());
                if full {
                    put(&format!("packet{}", hop), &bytes);
                } else {
                    put(&format!("packet{}_sha256", hop), sha(&bytes));
                }
                packet = next_hop_packet;
            }
            ProcessedPacketData::FinalHop {
                destination,
                identifier,
                payload,
            } => {
                put("destination", destination.as_bytes_ref());
                put("identifier", identifier);
                put("payload_sha256", sha(payload.as_bytes()));
                let plain = payload.recover_plaintext().expect("plaintext");
                num("plain_len", plain.len() as u64);
                put("plain_sha256", sha(plain));
                return;
            }
        }
    }
}

fn packet_record(hops: usize, version: u16, payload: usize, len: usize, full: bool) {
    let (nodes, delays, dest) = route(hops);
    let packet = SphinxPacketBuilder::new()
        .with_version(Version::new(version))
        .with_payload_size(payload)
        .with_initial_secret(&initial())
        .build_packet(message(len), &nodes, &dest, &delays)
        .expect("build");
    println!("\nkind = packet");
    num("hops", hops as u64);
    num("version", version as u64);
    num("payload_len", payload as u64);
    num("message_len", len as u64);
    put("packet0", packet.to_bytes());
    follow(packet, full);
}

fn surb_record(hops: usize, version: u16, payload: usize, len: usize) {
    let (nodes, delays, dest) = route(hops);
    let material =
        SURBMaterial::new(nodes, delays, dest).with_version(Version::new(version));
    let surb = SURB::new(initial(), material).expect("surb");
    println!("\nkind = surb");
    num("hops", hops as u64);
    num("version", version as u64);
    num("payload_len", payload as u64);
    num("message_len", len as u64);
    put("surb", surb.to_bytes());
    let (packet, first) = surb.use_surb(&message(len), payload).expect("use");
    put("first", first.as_bytes());
    put("packet0", packet.to_bytes());
    follow(packet, false);
}

fn header(what: &str) {
    println!("# {}", what);
    println!("# Written by tests/interop (bin sphinx_vectors); do not edit.");
}

fn sphinx() {
    header("Sphinx packets and SURBs made and unwrapped by sphinx-packet 0.6.0.");
    println!("# Inputs: secret of hop i = 32 bytes of value i; its address = 10.0.0.i:1789;");
    println!("# its delay = i ms; initial secret = 10..2f; destination = 32 bytes d0;");
    println!("# identifier = 15 zero bytes, 77; message byte i = (31 i + 7) mod 256.");
    println!("# packet0 is as sent, packetN as hop N passes it on.");
    for version in [258, 259] {
        for hops in 1..=5 {
            packet_record(hops, version, 38, 21, true);
            packet_record(hops, version, 2065, 2048, false);
        }
    }
    packet_record(4, 259, 2065, 0, false);
    packet_record(4, 259, 2065, 1000, false);
    packet_record(4, 259, 8209, 8192, false);
    for version in [258, 259] {
        for hops in [1, 4, 5] {
            surb_record(hops, version, 2065, 2048);
        }
    }
    surb_record(4, 259, 8209, 8000);
}

fn blake() {
    header("BLAKE3 by the official crate, blake3 1.x.");
    println!("# Input byte i = i mod 251, as in the official test vectors.");
    for len in [
        0usize, 1, 2, 31, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2048, 2049, 3072, 3073,
        4096, 4097, 5120, 6144, 7168, 8192, 8193, 16384, 31744, 102400,
    ] {
        let input: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        println!();
        num("len", len as u64);
        put("hash", blake3::hash(&input).as_bytes());
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("sphinx") => sphinx(),
        Some("blake3") => blake(),
        _ => eprintln!("usage: sphinx_vectors sphinx|blake3"),
    }
}
