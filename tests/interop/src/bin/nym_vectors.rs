// Vectors for tests/unit/mix_*_test.c; see ../../README.
use bytes::BytesMut;
use nym_crypto::asymmetric::{ed25519, x25519};
use nym_gateway_requests::*;
use nym_ip_packet_requests as ipr;
use nym_sphinx::message::{NymMessage, PaddedMessage};
use nym_sphinx::NymPayloadBuilder;
use nym_sphinx_acknowledgements::{surb_ack::SurbAck, AckKey};
use nym_sphinx_addressing::{clients::Recipient, nodes::NymNodeRoutingAddress};
use nym_sphinx_anonymous_replies::requests::{
    AnonymousSenderTag, RepliableMessage, ReplyMessage,
};
use nym_sphinx_anonymous_replies::ReplySurb;
use nym_sphinx_forwarding::packet::MixPacket;
use nym_sphinx_framing::codec::NymCodec;
use nym_sphinx_framing::packet::FramedNymPacket;
use nym_sphinx_params::packet_sizes::PacketSize;
use nym_sphinx_params::{PacketType, SphinxKeyRotation};
use nym_sphinx_types::NymPacket;
use nym_topology::{
    node::{EntryDetails, RoutingNode, SupportedRoles},
    CachedEpochRewardedSet, NymRouteProvider, NymTopology, NymTopologyMetadata,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};
use futures::StreamExt;
use nym_gateway_requests::registration::handshake::{client_handshake, gateway_handshake};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tungstenite::Message;
use tokio_util::codec::Encoder;

fn put(name: &str, value: impl AsRef<[u8]>) {
    println!("{} = {}", name, hex::encode(value));
}

fn num(name: &str, value: u64) {
    println!("{} = {}", name, value);
}

fn text(name: &str, value: impl std::fmt::Display) {
    println!("{} = {}", name, value);
}

fn sha(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    Sha256::digest(bytes.as_ref()).to_vec()
}

// Byte i of every message is (31 i + 7) mod 256.
fn message(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((31 * i + 7) & 255) as u8).collect()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([0x2a; 32])
}

fn identity(seed: u8) -> ed25519::KeyPair {
    ed25519::PrivateKey::from_bytes(&[seed; 32]).unwrap().into()
}

fn x_secret(byte: u8) -> x25519::PrivateKey {
    x25519::PrivateKey::from_bytes(&[byte; 32]).unwrap()
}

// Client 0x61: identity seed 61.., encryption secret 62..; gateway is node 4.
fn client() -> Recipient {
    Recipient::new(
        *identity(0x61).public_key(),
        x25519::PublicKey::from(&x_secret(0x62)),
        *identity(0x44).public_key(),
    )
}

// Nodes 1..3 mix, one per layer; node 4 is the gateway.  Sphinx secret of
// node i: 32 bytes of i; identity seed 0x40 + i; address 10.0.0.i:1789.
fn topology() -> NymRouteProvider {
    let nodes = (1u32..=4)
        .map(|i| RoutingNode {
            node_id: i,
            mix_host: format!("10.0.0.{}:1789", i).parse().unwrap(),
            entry: (i == 4).then(|| EntryDetails {
                ip_addresses: vec!["10.0.0.4".parse().unwrap()],
                clients_ws_port: 9000,
                hostname: None,
                clients_wss_port: None,
            }),
            identity_key: *identity(0x40 + i as u8).public_key(),
            sphinx_key: x25519::PublicKey::from(&x_secret(i as u8)),
            supported_roles: SupportedRoles {
                mixnode: i < 4,
                mixnet_entry: i == 4,
                mixnet_exit: i == 4,
            },
        })
        .collect();
    let set = CachedEpochRewardedSet {
        epoch_id: 0,
        entry_gateways: [4].into(),
        exit_gateways: [4].into(),
        layer1: [1].into(),
        layer2: [2].into(),
        layer3: [3].into(),
        standby: Default::default(),
    };
    let metadata =
        NymTopologyMetadata::new(7, 0, nym_topology_time());
    NymRouteProvider::new(NymTopology::new(metadata, set, nodes), true)
}

fn nym_topology_time() -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(1_750_000_000).unwrap()
}

fn header(what: &str) {
    println!("# {}", what);
    println!("# Written by tests/interop (bin nym_vectors) with the nym-* 1.21.6 crates;");
    println!("# do not edit.");
}

fn frag_case(size: PacketSize, len: usize) {
    // One byte of the message is its type, so that it is `len` in all.
    let msg = NymMessage::new_plain(message(len)[1..].to_vec());
    let room = msg.available_sphinx_plaintext_per_packet(size);
    let fragments = msg
        .pad_to_full_packet_lengths(room)
        .split_into_fragments(&mut rng(), room);
    println!();
    num("plain_len", size.plaintext_size() as u64);
    num("message_len", len as u64);
    num("room", room as u64);
    num("count", fragments.len() as u64);
    let ids: Vec<u8> = fragments
        .iter()
        .filter(|f| f.current_fragment() == 1)
        .flat_map(|f| f.id().to_be_bytes())
        .collect();
    put("ids", ids);
    let mut all = Sha256::new();
    for f in fragments {
        all.update(f.into_bytes());
    }
    put("sha256", all.finalize());
}

fn frag() {
    header("Messages cut into fragments.");
    println!("# A message is a type byte 00 and then bytes 1.. of the pattern");
    println!("# (31 i + 7) mod 256; sha256 is over all fragments, one after the other.");
    let size = PacketSize::RegularPacket;
    let u = 1604usize;
    let one = 255 * u;
    let edge = one - 3;
    let middle = one - 6;
    for len in [
        1, 2, 1000, u - 2, u - 1, u, u + 1, 2 * u - 1, 2 * u, 5 * u + 77, one - 2, one - 1, one,
        one + 1, one + u, 2 * edge - 1, 2 * edge, 2 * edge + 1, 2 * edge + middle - 1,
        2 * edge + middle, 2 * edge + middle + 500,
    ] {
        frag_case(size, len);
    }
    for len in [1, 7747, 7748, 30000] {
        frag_case(PacketSize::ExtendedPacket8, len);
    }
    frag_case(PacketSize::ExtendedPacket16, 40000);
    frag_case(PacketSize::ExtendedPacket32, 100000);
}

fn ack(topology: &NymRouteProvider, id: [u8; 5]) -> SurbAck {
    SurbAck::construct(
        &mut rng(),
        false,
        &client(),
        &AckKey::try_from_bytes(&[0x63; 16]).unwrap(),
        id,
        Duration::from_millis(15),
        topology,
        PacketType::Mix,
        false,
    )
    .unwrap()
}

fn surbs(topology: &NymRouteProvider, n: usize, legacy: bool) -> Vec<ReplySurb> {
    (0..n)
        .map(|_| {
            ReplySurb::construct(
                &mut rand::thread_rng(),
                &client(),
                Duration::from_millis(15),
                legacy,
                topology,
                false,
            )
            .unwrap()
        })
        .collect()
}

fn message_bytes(msg: NymMessage) -> Vec<u8> {
    // The serialisation is private; padding shows it.
    let mut all = Vec::new();
    for f in msg
        .pad_to_full_packet_lengths(32331)
        .split_into_fragments(&mut rng(), 32331)
    {
        all.extend_from_slice(f.payload());
    }
    let end = all.iter().rposition(|b| *b == 1).unwrap();
    PaddedMessage::new_reconstructed(all.clone())
        .remove_padding()
        .unwrap();
    all.truncate(end);
    all
}

fn packets() {
    header("Addresses, acks, sealed packets, messages and frames.");
    println!("# Client: identity seed 32*61, encryption secret 32*62, ack key 16*63; its");
    println!("# gateway is node 4.  Node i: Sphinx secret 32*i, identity seed 32*(40+i),");
    println!("# address 10.0.0.i:1789; nodes 1, 2, 3 mix.  Second client: encryption");
    println!("# secret 32*72.  Delays are random.");
    let topology = topology();

    println!("\nkind = recipient");
    put("bytes", client().to_bytes());
    text("text", client());

    for a in ["1.2.3.4:42", "[2001:db8::9]:1789"] {
        let a = NymNodeRoutingAddress::from(a.parse::<std::net::SocketAddr>().unwrap());
        println!("\nkind = node");
        put("bytes", a.as_bytes());
        put("padded", a.as_zero_padded_bytes(32));
    }

    // A regular packet's content, for the second client.
    let fragment = NymMessage::new_plain(message(100))
        .pad_to_full_packet_lengths(1611)
        .split_into_fragments(&mut rng(), 1611)
        .remove(0);
    let id = fragment.fragment_identifier();
    println!("\nkind = sealed");
    put("id", id.to_bytes());
    put("fragment", fragment.clone().into_bytes());
    put(
        "bytes",
        NymPayloadBuilder::new(fragment.clone(), ack(&topology, id.to_bytes()))
            .build_regular(&mut rng(), &x25519::PublicKey::from(&x_secret(0x72)))
            .unwrap(),
    );

    let surb = surbs(&topology, 1, false).remove(0);
    println!("\nkind = reply");
    put("id", id.to_bytes());
    put("fragment", fragment.clone().into_bytes());
    put("surb", surb.to_bytes());
    let payload = NymPayloadBuilder::new(fragment.clone(), ack(&topology, id.to_bytes()))
        .build_reply(surb.encryption_key())
        .unwrap();
    put("bytes", &payload);
    let (packet, first) = surb
        .apply_surb(payload, PacketSize::RegularPacket, PacketType::Mix)
        .unwrap();
    put("first", first.as_bytes());
    put("packet", packet.to_bytes().unwrap());

    let tag = AnonymousSenderTag::from_bytes([0x5a; 16]);
    for legacy in [false, true] {
        for (n, data) in [(0usize, Some(20usize)), (2, Some(0)), (3, Some(300)), (2, None)] {
            let list = surbs(&topology, n, legacy);
            println!("\nkind = repliable");
            num("surbs", n as u64);
            num("surb_len", if legacy { 1164 } else { 460 });
            num("rotation", if legacy || n == 0 { 0 } else { 1 });
            put("first_surb", list.first().map(|s| s.to_bytes()).unwrap_or_default());
            let list = list
                .into_iter()
                .map(|s| {
                    if legacy {
                        s.to_legacy()
                    } else {
                        s.with_key_rotation(SphinxKeyRotation::OddRotation)
                    }
                })
                .collect();
            let msg = match data {
                Some(len) => {
                    num("data_len", len as u64);
                    RepliableMessage::new_data(legacy, message(len), tag, list)
                }
                None => RepliableMessage::new_additional_surbs(legacy, tag, list),
            };
            put("bytes", message_bytes(NymMessage::new_repliable(msg)));
        }
    }
    println!("\nkind = reply_data");
    put(
        "bytes",
        message_bytes(NymMessage::new_reply(ReplyMessage::new_data_message(message(50)))),
    );
    println!("\nkind = surb_request");
    num("amount", 50);
    put(
        "bytes",
        message_bytes(NymMessage::new_reply(ReplyMessage::new_surb_request_message(
            client(),
            50,
        ))),
    );
    println!("\nkind = plain");
    put("bytes", message_bytes(NymMessage::new_plain(message(50))));

    for size in [
        PacketSize::AckPacket,
        PacketSize::RegularPacket,
        PacketSize::ExtendedPacket8,
    ] {
        for (rotation, label) in [
            (SphinxKeyRotation::Unknown, 0),
            (SphinxKeyRotation::OddRotation, 1),
            (SphinxKeyRotation::EvenRotation, 2),
        ] {
            for legacy in [true, false] {
                let bytes = message(size.size());
                let build = || NymPacket::sphinx_from_bytes(&bytes).unwrap();
                let next = NymNodeRoutingAddress::from(
                    "10.0.0.1:1789".parse::<std::net::SocketAddr>().unwrap(),
                );
                println!("\nkind = frame");
                num("packet_len", bytes.len() as u64);
                num("rotation", label);
                num("frame_version", if legacy { 7 } else { 8 });
                let mut out = BytesMut::new();
                NymCodec
                    .encode(
                        FramedNymPacket::new(build(), PacketType::Mix, rotation, legacy),
                        &mut out,
                    )
                    .unwrap();
                put("frame_head", &out[..out.len() - bytes.len()]);
                put("frame_sha256", sha(&out));
                let mix = MixPacket::new(next, build(), PacketType::Mix, rotation);
                let out = if legacy {
                    mix.into_v1_bytes().unwrap()
                } else {
                    mix.into_v2_bytes().unwrap()
                };
                put("mix_head", &out[..out.len() - bytes.len()]);
                put("mix_sha256", sha(&out));
            }
        }
    }
}

// The file form of a topology, for the parser.
fn topology_file() {
    println!("{}", serde_json::to_string_pretty(&topology().topology).unwrap());
}

fn gateway() {
    header("Client-gateway messages.");
    println!("# Client identity seed 32*01, shared key 32*4b, message bytes of the pattern.");
    let key = SharedSymmetricKey::try_from_bytes(&[0x4b; 32]).unwrap();
    let keys = identity(1);

    println!("\nkind = forward");
    let bytes = message(2413);
    let next = NymNodeRoutingAddress::from("10.0.0.1:1789".parse::<std::net::SocketAddr>().unwrap());
    let mix = MixPacket::new(
        next,
        NymPacket::sphinx_from_bytes(&bytes).unwrap(),
        PacketType::Mix,
        SphinxKeyRotation::OddRotation,
    );
    put(
        "frame",
        BinaryRequest::ForwardSphinxV2 { packet: mix }
            .into_encrypted_tagged_bytes(&key)
            .unwrap(),
    );
    println!("\nkind = push");
    put(
        "frame",
        BinaryResponse::PushedMixMessage { message: message(1643) }
            .into_encrypted_tagged_bytes(&key)
            .unwrap(),
    );

    println!("\nkind = authenticate");
    let auth = text_request::authenticate::AuthenticateRequest::new(6.into(), &key, &keys).unwrap();
    let json = serde_json::to_string(&ClientControlRequest::AuthenticateV2(Box::new(auth))).unwrap();
    text("json", json);
    for (name, msg) in [
        ("supported", ClientControlRequest::SupportedProtocol {}),
        ("claim", ClientControlRequest::ClaimFreeTestnetBandwidth),
    ] {
        println!("\nkind = {}", name);
        let json = serde_json::to_string(&msg).unwrap();
        text("json", json);
    }
    for msg in [
        ServerResponse::SupportedProtocol { version: 6 },
        ServerResponse::Register { protocol_version: 6, status: true, upgrade_mode: false },
        ServerResponse::Authenticate {
            protocol_version: 6,
            status: true,
            bandwidth_remaining: 1234567,
            upgrade_mode: false,
        },
        ServerResponse::Bandwidth(BandwidthResponse { available_total: 68719476736, upgrade_mode: false }),
        ServerResponse::Send(SendResponse { remaining_bandwidth: 68719474323, upgrade_mode: false }),
        ServerResponse::Error { message: "a \"quoted\" reason".into() },
        ServerResponse::TypedError {
            error: SimpleGatewayRequestsError::OutOfBandwidth { required: 2413, available: 17 },
        },
    ] {
        println!("\nkind = response");
        text("name", msg.name());
        let json = serde_json::to_string(&msg).unwrap();
        text("json", json);
    }
}

// One side's end of a pair of channels; what it sends is printed.
struct End {
    tx: futures::channel::mpsc::UnboundedSender<Message>,
    rx: futures::channel::mpsc::UnboundedReceiver<Message>,
}

impl futures::Stream for End {
    type Item = Result<Message, tungstenite::Error>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.rx.poll_next_unpin(cx).map(|m| m.map(Ok))
    }
}

impl futures::Sink<Message> for End {
    type Error = tungstenite::Error;
    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
    fn start_send(self: Pin<&mut Self>, m: Message) -> Result<(), Self::Error> {
        if let Message::Text(t) = &m {
            println!("json = {}", t);
        }
        self.tx.unbounded_send(m).unwrap();
        Ok(())
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

fn hs() {
    header("A registration handshake between the crates' two sides.");
    println!("# Client identity seed 32*01, gateway identity seed 32*02.  Ephemeral");
    println!("# secrets and salt: ChaCha20Rng seeded with 32*2a (client) and 32*2b.");
    println!("# Each record is one message in its order; the last has the shared key.");
    let (ctx, grx) = futures::channel::mpsc::unbounded();
    let (gtx, crx) = futures::channel::mpsc::unbounded();
    let mut near = End { tx: ctx, rx: crx };
    let mut far = End { tx: gtx, rx: grx };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async move {
        let ours = identity(1);
        let theirs = identity(2);
        let their_public = *theirs.public_key();
        let mut rng_c = rng();
        let mut rng_g = ChaCha20Rng::from_seed([0x2b; 32]);
        let client = async {
            let token = nym_task::ShutdownToken::new();
            client_handshake(&mut rng_c, &mut near, &ours, their_public, 6.into(), token)
                .await
                .unwrap()
        };
        let gateway = async {
            let data = match far.next().await.unwrap().unwrap() {
                Message::Text(t) => {
                    match RegistrationHandshake::try_from(t.as_str().to_string()).unwrap() {
                        RegistrationHandshake::HandshakePayload { data, .. } => data,
                        _ => panic!(),
                    }
                }
                _ => panic!(),
            };
            let token = nym_task::ShutdownToken::new();
            gateway_handshake(&mut rng_g, &mut far, &theirs, data, 6.into(), token)
                .await
                .unwrap()
        };
        println!();
        let (c, g) = tokio::join!(client, gateway);
        assert!(c.derived_key == g.derived_key);
        put("key", c.derived_key.as_bytes());
    });
}

fn ipr_vectors() {
    header("IP packet router messages, versions 8, 9 and 10.");
    let (mut request, id) = ipr::v9::new_connect_request(None);
    println!("\nkind = connect");
    num("id", id);
    put("bytes", request.to_bytes().unwrap());
    request = ipr::v9::new_connect_request(Some(1000)).0;
    println!("\nkind = connect_timeout");
    put("bytes", request.to_bytes().unwrap());
    println!("\nkind = data");
    put(
        "bytes",
        ipr::v9::new_data_request(ipr::codec::MultiIpPacketCodec::bundle_one_packet(
            message(1400).into(),
        ))
        .to_bytes()
        .unwrap(),
    );
    for (name, (r, id)) in [
        ("disconnect", ipr::v8::request::IpPacketRequest::new_disconnect_request()),
        ("ping", ipr::v8::request::IpPacketRequest::new_ping()),
        ("health", ipr::v8::request::IpPacketRequest::new_health_request()),
    ] {
        println!("\nkind = {}", name);
        num("id", id);
        put("bytes", r.to_bytes().unwrap());
    }
    println!("\nkind = data_response");
    put(
        "bytes",
        ipr::v9::new_ip_packet_response(ipr::codec::MultiIpPacketCodec::bundle_one_packet(
            message(100).into(),
        ))
        .to_bytes()
        .unwrap(),
    );
}

// Read what smolnode's directory answers, saved as files in a folder, with the
// types by which the crates' own clients and nodes read it.
fn check(folder: &str) {
    use nym_api_requests::models::{KeyRotationInfoResponse, RewardedSetResponse};
    use nym_api_requests::nym_nodes::{
        PaginatedCachedNodesResponseV2, SemiSkimmedNodeV1, SkimmedNodeV1,
    };
    let read = |name: &str| std::fs::read_to_string(format!("{}/{}", folder, name)).unwrap();
    let r: KeyRotationInfoResponse = serde_json::from_str(&read("rotation.json")).unwrap();
    println!("rotation {:?}", r.details.current_absolute_epoch_id);
    let r: RewardedSetResponse = serde_json::from_str(&read("rewarded.json")).unwrap();
    println!("rewarded {:?}", r.layer1);
    let mixes: PaginatedCachedNodesResponseV2<SkimmedNodeV1> =
        serde_json::from_str(&read("mixes.json")).unwrap();
    println!("mixes {} rotation {}", mixes.nodes.data.len(), mixes.metadata.rotation_id);
    let entries: PaginatedCachedNodesResponseV2<SkimmedNodeV1> =
        serde_json::from_str(&read("entries.json")).unwrap();
    println!("entries {}", entries.nodes.data.len());
    let semi: PaginatedCachedNodesResponseV2<SemiSkimmedNodeV1> =
        serde_json::from_str(&read("semi.json")).unwrap();
    println!("semi {}", semi.nodes.data.len());
    let t: NymTopology = serde_json::from_str(&read("net.json")).unwrap();
    println!("topology routable {}", t.is_minimally_routable());
    let mut nodes = NymTopology::default();
    nodes.add_skimmed_nodes(&mixes.nodes.data);
    nodes.add_skimmed_nodes(&entries.nodes.data);
    println!("skimmed {}", nodes.mixnodes().count());
}

// A websocket as the handshake wants it; reads block, which is fine here.
struct Live(tungstenite::WebSocket<std::net::TcpStream>);

impl futures::Stream for Live {
    type Item = Result<Message, tungstenite::Error>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(self.0.read()))
    }
}

impl futures::Sink<Message> for Live {
    type Error = tungstenite::Error;
    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
    fn start_send(mut self: Pin<&mut Self>, m: Message) -> Result<(), Self::Error> {
        self.0.send(m)
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

// A client made of the crates against a running `smolnode local`: registers,
// claims bandwidth, sends itself a message through the mixes, and gets both
// the message and the ack.
fn live(topology: &str, exit: Option<&str>) {
    use nym_sphinx_acknowledgements::identifier::recover_identifier;
    use nym_sphinx_types::Delay;
    use std::io::{Read, Write};
    let t: NymTopology =
        serde_json::from_str(&std::fs::read_to_string(topology).unwrap()).unwrap();
    let routes = NymRouteProvider::new(t, true);
    let entry = routes.topology.entry_capable_nodes().next().unwrap().clone();
    let port = entry.entry.as_ref().unwrap().clients_ws_port;
    let mut tcp = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.write_all(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0u8];
        tcp.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    // The sample of RFC 6455.
    assert!(String::from_utf8_lossy(&head).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let role = tungstenite::protocol::Role::Client;
    let mut ws = Live(tungstenite::WebSocket::from_raw_socket(tcp, role, None));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let keys: ed25519::KeyPair =
        ed25519::PrivateKey::from_bytes(&rand::random::<[u8; 32]>()).unwrap().into();
    let me = Recipient::new(
        *keys.public_key(),
        x25519::PublicKey::from(&x_secret(0x62)),
        entry.identity_key,
    );
    let key = runtime.block_on(async {
        client_handshake(
            &mut rand::rngs::OsRng,
            &mut ws,
            &keys,
            entry.identity_key,
            6.into(),
            nym_task::ShutdownToken::new(),
        )
        .await
        .unwrap()
        .derived_key
    });
    println!("registered");
    let say = |ws: &mut Live, m: ClientControlRequest| {
        ws.0.send(Message::Text(serde_json::to_string(&m).unwrap())).unwrap()
    };
    say(&mut ws, ClientControlRequest::ClaimFreeTestnetBandwidth);

    let mut rng = rand::thread_rng();
    let ack_key = AckKey::try_from_bytes(&[0x63; 16]).unwrap();
    let fragment = NymMessage::new_plain(message(1000))
        .pad_to_full_packet_lengths(1611)
        .split_into_fragments(&mut rng, 1611)
        .remove(0);
    let id = fragment.fragment_identifier().to_bytes();
    let ack = SurbAck::construct(
        &mut rng,
        false,
        &me,
        &ack_key,
        id,
        Duration::from_millis(5),
        &routes,
        PacketType::Mix,
        false,
    )
    .unwrap();
    let payload = NymPayloadBuilder::new(fragment.clone(), ack)
        .build_regular(&mut rng, me.encryption_key())
        .unwrap();
    let route = routes.random_route_to_egress(&mut rng, me.gateway()).unwrap();
    let delays = vec![Delay::new_from_millis(5); route.len()];
    let packet = NymPacket::sphinx_build(
        false,
        PacketSize::RegularPacket.payload_size(),
        payload,
        &route,
        &me.as_sphinx_destination(),
        &delays,
    )
    .unwrap();
    let first = NymNodeRoutingAddress::try_from(route[0].address).unwrap();
    let mix = MixPacket::new(first, packet, PacketType::Mix, SphinxKeyRotation::Unknown);

    let mut frame = Some(
        BinaryRequest::ForwardSphinxV2 { packet: mix }
            .into_encrypted_tagged_bytes(&key)
            .unwrap(),
    );
    let (mut got, mut acked) = (false, false);
    while !(got && acked) {
        match ws.0.read().unwrap() {
            Message::Text(t) => {
                println!("said {}", t);
                if t.contains("available_total") {
                    ws.0.send(Message::Binary(frame.take().unwrap())).unwrap();
                }
            }
            Message::Binary(b) => {
                let BinaryResponse::PushedMixMessage { message } =
                    BinaryResponse::try_from_encrypted_tagged_bytes(b, &key).unwrap()
                else {
                    panic!()
                };
                if message.len() == 21 {
                    assert_eq!(recover_identifier(&ack_key, &message).unwrap(), id);
                    acked = true;
                    println!("acknowledged");
                    continue;
                }
                let theirs = x25519::PublicKey::from_bytes(&message[..32]).unwrap();
                let k = nym_crypto::shared_key::recompute_shared_key::<
                    nym_sphinx_params::PacketEncryptionAlgorithm,
                    nym_sphinx_params::PacketHkdfAlgorithm,
                >(&theirs, &x_secret(0x62));
                let plain = nym_crypto::symmetric::stream_cipher::decrypt::<
                    nym_sphinx_params::PacketEncryptionAlgorithm,
                >(
                    &k,
                    &nym_crypto::symmetric::stream_cipher::zero_iv::<
                        nym_sphinx_params::PacketEncryptionAlgorithm,
                    >(),
                    &message[32..],
                );
                assert_eq!(plain, fragment.clone().into_bytes());
                got = true;
                println!("delivered");
            }
            other => println!("other {:?}", other),
        }
    }
    if let Some(exit) = exit {
        ask_exit(&mut ws, &key, &me, &routes, exit);
    }
    println!("ok");
}

// Connect to the exit as an IPR client does: version 9 in a stream frame, with
// twenty SURBs; its answer comes by one of them.
fn ask_exit(
    ws: &mut Live,
    key: &SharedSymmetricKey,
    me: &Recipient,
    routes: &NymRouteProvider,
    exit: &str,
) {
    use nym_sphinx_params::ReplySurbEncryptionAlgorithm;
    use nym_sphinx_types::Delay;
    let exit = Recipient::try_from_base58_string(exit).unwrap();
    let mut rng = rand::thread_rng();
    let list: Vec<ReplySurb> = (0..20)
        .map(|_| {
            ReplySurb::construct(&mut rng, me, Duration::from_millis(5), false, routes, false)
                .unwrap()
        })
        .collect();
    let keys: Vec<_> = list
        .iter()
        .map(|s| (s.encryption_key().compute_digest().to_vec(), s.to_bytes()[..16].to_vec()))
        .collect();
    let (request, id) = ipr::v9::new_connect_request(None);
    let mut data = vec![3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 0, 0];
    data.extend_from_slice(&request.to_bytes().unwrap());
    let msg = NymMessage::new_repliable(RepliableMessage::new_data(
        false,
        data,
        AnonymousSenderTag::from_bytes(rand::random()),
        list.into_iter()
            .map(|s| s.with_key_rotation(SphinxKeyRotation::Unknown))
            .collect(),
    ));
    let ack_key = AckKey::try_from_bytes(&[0x63; 16]).unwrap();
    let fragments = msg
        .pad_to_full_packet_lengths(1611)
        .split_into_fragments(&mut rng, 1611);
    println!("connect in {} packets", fragments.len());
    for fragment in fragments {
        let id = fragment.fragment_identifier().to_bytes();
        let ack = SurbAck::construct(
            &mut rng,
            false,
            me,
            &ack_key,
            id,
            Duration::from_millis(5),
            routes,
            PacketType::Mix,
            false,
        )
        .unwrap();
        let payload = NymPayloadBuilder::new(fragment, ack)
            .build_regular(&mut rng, exit.encryption_key())
            .unwrap();
        let route = routes.random_route_to_egress(&mut rng, exit.gateway()).unwrap();
        let packet = NymPacket::sphinx_build(
            false,
            PacketSize::RegularPacket.payload_size(),
            payload,
            &route,
            &exit.as_sphinx_destination(),
            &vec![Delay::new_from_millis(5); route.len()],
        )
        .unwrap();
        let first = NymNodeRoutingAddress::try_from(route[0].address).unwrap();
        let packet = MixPacket::new(first, packet, PacketType::Mix, SphinxKeyRotation::Unknown);
        let frame = BinaryRequest::ForwardSphinxV2 { packet }
            .into_encrypted_tagged_bytes(key)
            .unwrap();
        ws.0.send(Message::Binary(frame)).unwrap();
    }
    loop {
        let Message::Binary(b) = ws.0.read().unwrap() else { continue };
        let BinaryResponse::PushedMixMessage { message } =
            BinaryResponse::try_from_encrypted_tagged_bytes(b, key).unwrap()
        else {
            panic!()
        };
        let Some((_, k)) = message
            .get(..32)
            .and_then(|d| keys.iter().find(|(digest, _)| digest == d))
        else {
            continue;
        };
        let k = nym_crypto::generic_array::GenericArray::clone_from_slice(k);
        let plain = nym_crypto::symmetric::stream_cipher::decrypt::<ReplySurbEncryptionAlgorithm>(
            &k,
            &nym_crypto::symmetric::stream_cipher::zero_iv::<ReplySurbEncryptionAlgorithm>(),
            &message[32..],
        );
        let fragment =
            nym_sphinx_chunking::fragment::Fragment::try_from_bytes(&plain).unwrap();
        let reply = PaddedMessage::new_reconstructed(fragment.payload().to_vec())
            .remove_padding()
            .unwrap();
        if reply.is_reply_surb_request() {
            println!("it asks for more SURBs");
            continue;
        }
        let data = reply.into_inner_data();
        assert_eq!(data[..2], [3, 0]);
        assert_eq!(data[2..10], [1, 2, 3, 4, 5, 6, 7, 8]);
        let answer = ipr::v8::response::IpPacketResponse::from_bytes(&data[16..]).unwrap();
        assert_eq!(answer.id(), Some(id));
        println!("{:?}", answer);
        return;
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("frag") => frag(),
        Some("packets") => packets(),
        Some("topology") => topology_file(),
        Some("gateway") => gateway(),
        Some("handshake") => hs(),
        Some("ipr") => ipr_vectors(),
        Some("live") => live(
            &std::env::args().nth(2).unwrap(),
            std::env::args().nth(3).as_deref(),
        ),
        Some("check") => check(&std::env::args().nth(2).unwrap()),
        _ => eprintln!("usage: nym_vectors frag|packets|topology|gateway|handshake|ipr|check FOLDER|live TOPOLOGY [EXIT]"),
    }
}
