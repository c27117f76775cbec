//! A real iroh endpoint on the command line: see README.
use anyhow::{bail, Context, Result};
use iroh::endpoint::{presets, Connection, RecvStream, SendStream};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, RelayUrl, SecretKey, TransportAddr};
use std::net::SocketAddr;
use tokio::io::{copy, AsyncRead, AsyncWrite, AsyncWriteExt};

#[derive(Default)]
struct Args {
    alpn: String,
    bind: Option<String>,
    relay: Option<String>,
    relay_only: bool,
    secret: Option<[u8; 32]>,
    to: Option<String>,
    peer: Option<String>,
    addrs: Vec<String>,
    reset: bool,
}

fn args() -> Result<(String, Args)> {
    let mut it = std::env::args().skip(1);
    let mode = it.next().context("usage: iroh-peer listen|dial [options]")?;
    let mut a = Args { alpn: "smolwrap-ssh".into(), ..Default::default() };
    while let Some(k) = it.next() {
        let mut v = || it.next().context("an option lacks its value");
        match k.as_str() {
            "--alpn" => a.alpn = v()?,
            "--bind" => a.bind = Some(v()?),
            "--relay" => a.relay = Some(v()?),
            "--relay-only" => a.relay_only = true,
            "--secret" => a.secret = Some([v()?.parse::<u8>()?; 32]),
            "--to" => a.to = Some(v()?),
            "--peer" => a.peer = Some(v()?),
            "--addr" => a.addrs.push(v()?),
            "--reset" => a.reset = true,
            _ => bail!("unknown option {k}"),
        }
    }
    Ok((mode, a))
}

async fn endpoint(a: &Args, accept: bool) -> Result<Endpoint> {
    let mut b = Endpoint::builder(presets::Minimal);
    b = match &a.relay {
        Some(u) => b.relay_mode(RelayMode::custom([u.parse::<RelayUrl>()?])),
        None => b.relay_mode(RelayMode::Disabled),
    };
    if accept {
        b = b.alpns(vec![a.alpn.clone().into_bytes()]);
    }
    if let Some(s) = a.secret {
        b = b.secret_key(SecretKey::from_bytes(&s));
    }
    if a.relay_only {
        b = b.clear_ip_transports();
    } else if let Some(addr) = &a.bind {
        b = b.clear_ip_transports().bind_addr(addr.parse::<SocketAddr>()?)?;
    }
    Ok(b.bind().await?)
}

/// Copies both ways; an end of one direction is passed on as such.
async fn join<R, W>(mut r: R, mut w: W, mut send: SendStream, mut recv: RecvStream) -> Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let up = async {
        copy(&mut r, &mut send).await?;
        send.finish()?;
        anyhow::Ok(())
    };
    let down = async {
        copy(&mut recv, &mut w).await?;
        w.shutdown().await?;
        anyhow::Ok(())
    };
    tokio::try_join!(up, down)?;
    Ok(())
}

async fn serve(c: Connection, to: Option<String>, reset: bool) -> Result<()> {
    println!("from {}", c.remote_id());
    let (mut send, mut recv) = c.accept_bi().await?;
    if reset {
        let mut b = [0u8; 1];
        recv.read_exact(&mut b).await?;
        send.reset(7u32.into())?;
        recv.stop(8u32.into())?;
    } else if let Some(t) = to {
        let (r, w) = tokio::net::TcpStream::connect(t).await?.into_split();
        join(r, w, send, recv).await?;
    } else {
        let n = copy(&mut recv, &mut send).await?;
        send.finish()?;
        println!("echoed {n}");
    }
    println!("closed: {}", c.closed().await);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let (mode, a) = args()?;
    match mode.as_str() {
        "listen" => {
            let ep = endpoint(&a, true).await?;
            if a.relay.is_some() {
                ep.online().await;
            }
            println!("id {}", ep.id());
            for s in ep.bound_sockets() {
                println!("bound {s}");
            }
            while let Some(inc) = ep.accept().await {
                let (to, reset) = (a.to.clone(), a.reset);
                tokio::spawn(async move {
                    match inc.await {
                        Ok(c) => {
                            if let Err(e) = serve(c, to, reset).await {
                                println!("error: {e:#}");
                            }
                        }
                        Err(e) => println!("refused: {e:#}"),
                    }
                });
            }
        }
        "dial" => {
            let ep = endpoint(&a, false).await?;
            let id: EndpointId = a.peer.as_deref().context("--peer is missing")?.parse()?;
            let mut to: Vec<TransportAddr> = Vec::new();
            for s in &a.addrs {
                to.push(TransportAddr::Ip(s.parse()?));
            }
            if let Some(u) = &a.relay {
                to.push(TransportAddr::Relay(u.parse()?));
            }
            let c = ep.connect(EndpointAddr::from_parts(id, to), a.alpn.as_bytes()).await?;
            let (send, recv) = c.open_bi().await?;
            join(tokio::io::stdin(), tokio::io::stdout(), send, recv).await?;
            c.close(0u32.into(), b"done");
            ep.close().await;
        }
        _ => bail!("unknown mode {mode}"),
    }
    Ok(())
}
