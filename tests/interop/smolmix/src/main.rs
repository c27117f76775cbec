//! The published Rust clients (nym-smolmix, nym-sdk) against a network of ours.
//!
//! flows EXIT CA WWW     all flows through the exit with this Nym address, to
//!                       the servers at address WWW, whose certificates were
//!                       signed by the file CA; speaks TAP
//! flows --echo ADDRESS CERT KEY
//!                       a websocket echo server over TLS, for the above
//!
//! The network is the one that NYM_APIS names; see README and run.sh.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use nym_sdk::mixnet::{MixnetClientBuilder, MixnetMessageSender, NymNetworkDetails};
use nym_smolmix::{Recipient, Tunnel};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sha2::{Digest, Sha256};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const HOST: &str = "www.example.test";
const WAIT: Duration = Duration::from_secs(150);

fn authority(file: &str) -> Outcome<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    for cert in CertificateDer::pem_file_iter(file)? {
        roots.add(cert?)?;
    }
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Bodies of pages, fetched one after the other over one TLS connection.
async fn pages(
    tunnel: &Tunnel,
    tls: &TlsConnector,
    to: SocketAddr,
    paths: &[&str],
) -> Outcome<Vec<Bytes>> {
    let tcp = tunnel.tcp_connect(to).await?;
    let name = ServerName::try_from(HOST)?.to_owned();
    let stream = tls.connect(name, tcp).await?;
    let (mut sender, conn) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(conn);
    let mut bodies = Vec::new();
    for path in paths {
        let request = hyper::Request::get(*path)
            .header("Host", HOST)
            .body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        if answer.status() != 200 {
            return Err(format!("{path}: {}", answer.status()).into());
        }
        bodies.push(answer.into_body().collect().await?.to_bytes());
    }
    Ok(bodies)
}

async fn tcp(tunnel: &Tunnel, tls: &TlsConnector, www: IpAddr) -> Outcome<String> {
    let body = pages(tunnel, tls, (www, 443).into(), &["/"]).await?;
    let text = String::from_utf8_lossy(&body[0]).into_owned();
    if !text.contains(HOST) {
        return Err(format!("not the page: {text}").into());
    }
    Ok(format!("{} bytes", text.len()))
}

async fn udp(tunnel: &Tunnel, server: IpAddr, www: IpAddr) -> Outcome<String> {
    let socket = tunnel.udp_socket().await?;
    let mut query = Message::new();
    query.set_id(4711).set_recursion_desired(true);
    query.add_query(Query::query(Name::from_ascii(HOST)?, RecordType::A));
    socket.send_to(&query.to_vec()?, (server, 53).into()).await?;
    let mut buf = vec![0u8; 1500];
    let (n, _) = socket.recv_from(&mut buf).await?;
    let answer = Message::from_vec(&buf[..n])?;
    let ips: Vec<Ipv4Addr> = answer
        .answers()
        .iter()
        .filter_map(|r| match r.data() {
            RData::A(a) => Some(a.0),
            _ => None,
        })
        .collect();
    if answer.id() != 4711 || ips.iter().all(|ip| IpAddr::V4(*ip) != www) {
        return Err(format!("the answer is {ips:?}").into());
    }
    Ok(format!("{ips:?}"))
}

async fn websocket(tunnel: &Tunnel, tls: &TlsConnector, www: IpAddr) -> Outcome<String> {
    let tcp = tunnel.tcp_connect((www, 9443).into()).await?;
    let name = ServerName::try_from(HOST)?.to_owned();
    let stream = tls.connect(name, tcp).await?;
    let (mut ws, _) =
        tokio_tungstenite::client_async(format!("wss://{HOST}/raw"), stream).await?;
    for (i, text) in ["one", "two", "three"].iter().enumerate() {
        let said = text.repeat(100 * (i + 1));
        ws.send(tungstenite::Message::Text(said.clone())).await?;
        let heard = ws.next().await.ok_or("no echo")??.into_text()?;
        if heard != said {
            return Err("the echo differs".into());
        }
    }
    ws.close(None).await?;
    Ok("three echoes".into())
}

/// Sizes as the crate's own example has them, then 1 MiB.
async fn download(tunnel: &Tunnel, tls: &TlsConnector, www: IpAddr) -> Outcome<String> {
    let begin = Instant::now();
    let bodies = pages(tunnel, tls, (www, 443).into(), &["/sub/file.txt", "/1m"]).await?;
    let took = begin.elapsed().as_secs_f64();
    if bodies[1].len() != 1 << 20 {
        return Err(format!("{} bytes", bodies[1].len()).into());
    }
    Ok(format!(
        "sha256 {} in {took:.1} s, {:.1} KB/s",
        hex::encode(Sha256::digest(&bodies[1])),
        1048.576 / took
    ))
}

/// nym-sdk alone: a message to ourselves, through every layer and back.
async fn message() -> Outcome<String> {
    let mut client = MixnetClientBuilder::new_ephemeral()
        .network_details(NymNetworkDetails::new_from_env())
        .build()?
        .connect_to_mixnet()
        .await?;
    let me = *client.nym_address();
    let said = "all the way round ".repeat(400);
    client.send_plain_message(me, &said).await?;
    let heard = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            for m in client.wait_for_messages().await.unwrap_or_default() {
                if !m.message.is_empty() {
                    return m.message;
                }
            }
        }
    })
    .await;
    client.disconnect().await;
    let heard = heard?;
    if heard != said.as_bytes() {
        return Err(format!("{} other bytes", heard.len()).into());
    }
    Ok(format!("{} bytes", heard.len()))
}

struct Tap {
    n: usize,
    bad: usize,
}

impl Tap {
    async fn test<T>(
        &mut self,
        what: &str,
        flow: impl std::future::Future<Output = Outcome<T>>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        self.n += 1;
        let outcome = tokio::time::timeout(WAIT, flow).await;
        match outcome {
            Ok(Ok(v)) => {
                println!("ok {} - {what}: {}", self.n, show(&v));
                return Some(v);
            }
            Ok(Err(e)) => println!("not ok {} - {what}\n# {e}", self.n),
            Err(_) => println!("not ok {} - {what}\n# timed out", self.n),
        }
        self.bad += 1;
        None
    }
}

async fn flows(exit: &str, ca: &str, www: &str) -> Outcome<bool> {
    let exit: Recipient = exit.parse()?;
    let www: IpAddr = www.parse()?;
    let tls = authority(ca)?;
    let said = |s: &String| s.clone();
    let mut tap = Tap { n: 0, bad: 0 };

    println!("1..8");
    tap.test("nym-sdk: a message to oneself", message(), said).await;
    let begin = Instant::now();
    let tunnel = tap
        .test(
            "smolmix: opens the exit by the directory",
            async { Ok(Tunnel::builder().ipr_address(exit).build().await?) },
            |t| format!("{} in {:.1?}", t.allocated_ips().ipv4, begin.elapsed()),
        )
        .await;
    let Some(tunnel) = tunnel else {
        println!("Bail out! no tunnel");
        return Ok(false);
    };
    tap.test("smolmix tcp: a page over TLS", tcp(&tunnel, &tls, www), said).await;
    tap.test("smolmix udp: DNS", udp(&tunnel, www, www), said).await;
    tap.test("smolmix websocket: echo over TLS", websocket(&tunnel, &tls, www), said)
        .await;
    let exit_dns = "10.0.0.1".parse()?;
    tap.test("smolmix udp: the exit's own DNS", udp(&tunnel, exit_dns, www), said)
        .await;
    tap.test("smolmix download: 1 MiB over TLS", download(&tunnel, &tls, www), said)
        .await;
    tap.test(
        "smolmix: closes",
        async {
            tunnel.shutdown().await;
            Ok(String::from("closed"))
        },
        said,
    )
    .await;
    Ok(tap.bad == 0)
}

async fn echo(address: &str, cert: &str, key: &str) -> Outcome<()> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind(address).await?;
    loop {
        let (tcp, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let stream = acceptor.accept(tcp).await?;
            let mut ws = tokio_tungstenite::accept_async(stream).await?;
            while let Some(m) = ws.next().await {
                let m = m?;
                if m.is_text() || m.is_binary() {
                    ws.send(m).await?;
                }
            }
            Outcome::Ok(())
        });
    }
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("a crypto provider");
    // What NYM_APIS does not name gets the main network's values.
    nym_network_defaults::setup_env(None::<&str>);

    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let good = match args.as_slice() {
        ["--echo", address, cert, key] => echo(address, cert, key).await.map(|_| true),
        [exit, ca, www] => flows(exit, ca, www).await,
        _ => Err("usage: flows EXIT CA WWW | flows --echo ADDRESS CERT KEY".into()),
    };
    match good {
        Ok(true) => (),
        Ok(false) => std::process::exit(1),
        Err(e) => {
            eprintln!("flows: {e}");
            std::process::exit(2);
        }
    }
}
