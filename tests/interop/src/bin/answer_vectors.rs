//! What an IP packet router answers, in every version, and the stream frames
//! around it; for tests/unit/mix_network_test.c.
use bytes::BytesMut;
use nym_ip_packet_requests::v8::response as v8;
use nym_ip_packet_requests::{v10, v9, IpPair};
use nym_lp_data::packet::frame::{LpFrame, SphinxStreamFrameAttributes, SphinxStreamMsgType};

const ID: u64 = 0x0123456789abcdef;
const STREAM: u64 = 0x0011223344556677;

fn record(kind: &str, bytes: &[u8]) {
    println!("\nkind = {kind}\nbytes = {}", hex::encode(bytes));
}

fn control(kind: &str, what: v8::ControlResponse) {
    for version in [8, v9::VERSION] {
        let answer = v8::IpPacketResponse {
            version,
            data: v8::IpPacketResponseData::Control(Box::new(what.clone())),
        };
        record(kind, &answer.to_bytes().unwrap());
    }
}

fn connect(kind: &str, reply: v8::ConnectResponseReply) {
    control(
        kind,
        v8::ControlResponse::Connect(v8::ConnectResponse { request_id: ID, reply }),
    );
}

fn disconnect(kind: &str, reply: v8::DisconnectResponseReply) {
    control(
        kind,
        v8::ControlResponse::Disconnect(v8::DisconnectResponse { request_id: ID, reply }),
    );
}

fn ips() -> IpPair {
    IpPair::new("10.0.18.52".parse().unwrap(), "fc00::1234".parse().unwrap())
}

fn frame(kind: &str, msg_type: SphinxStreamMsgType, sequence_num: u32, content: &[u8]) {
    let attrs = SphinxStreamFrameAttributes { stream_id: STREAM, msg_type, sequence_num };
    let mut out = BytesMut::new();
    LpFrame::new_stream(attrs, content.to_vec()).encode(&mut out);
    record(kind, &out);
}

fn main() {
    println!("# What an IP packet router answers, and stream frames (LP).");
    println!("# Written by tests/interop (bin answer_vectors) with the nym-* 1.21.6 crates;");
    println!("# do not edit.");
    println!("# Request {ID:#x}, stream {STREAM:#018x}, addresses 10.0.18.52, fc00::1234.");
    connect("connected", v8::ConnectResponseReply::Success(v8::ConnectSuccess { ips: ips() }));
    let answer = v10::response::IpPacketResponse {
        version: v10::VERSION,
        data: v10::response::IpPacketResponseData::Control(Box::new(
            v10::response::ControlResponse::Connect(v10::response::ConnectResponse {
                request_id: ID,
                reply: v10::response::ConnectResponseReply::Success(
                    v10::response::ConnectSuccess { ips: ips(), mtu: 1420 },
                ),
            }),
        )),
    };
    record("connected_mtu", &answer.to_bytes().unwrap());
    use v8::ConnectFailureReason as F;
    connect("already", v8::ConnectResponseReply::Failure(F::ClientAlreadyConnected));
    connect("no_address", v8::ConnectResponseReply::Failure(F::NoAvailableIp));
    connect("other", v8::ConnectResponseReply::Failure(F::Other("x".into())));
    disconnect("disconnected", v8::DisconnectResponseReply::Success);
    disconnect(
        "not_connected",
        v8::DisconnectResponseReply::Failure(v8::DisconnectFailureReason::ClientNotConnected),
    );
    control(
        "dropped",
        v8::ControlResponse::UnrequestedDisconnect(v8::UnrequestedDisconnect {
            reason: v8::UnrequestedDisconnectReason::ClientMixnetTrafficTimeout,
        }),
    );
    control("pong", v8::ControlResponse::Pong(v8::PongResponse { request_id: ID }));
    control(
        "policy",
        v8::ControlResponse::Info(v8::InfoResponse {
            request_id: 0,
            reply: v8::InfoResponseReply::ExitPolicyFilterCheckFailed {
                dst: "10.1.2.3:25".into(),
            },
            level: v8::InfoLevel::Warn,
        }),
    );
    frame("open", SphinxStreamMsgType::Open, 0, &[]);
    frame("data", SphinxStreamMsgType::Data, 5, &[]);
    frame("data", SphinxStreamMsgType::Data, u32::MAX, &[]);
}
