// A real iroh endpoint of the npm package @number0/iroh; see README.
//	node npm_peer.js listen PORT		echoes; prints "id ..."
//	node npm_peer.js dial ID IP:PORT N	sends N bytes, checks the echo
const iroh = require('@number0/iroh');

const ALPN = [...Buffer.from('smolwrap-ssh')];

async function endpoint(bind, accept) {
	const b = iroh.Endpoint.builder();
	iroh.presetMinimal(b);
	b.relayMode(iroh.RelayMode.disabled());
	if (accept)
		b.alpns([ALPN]);
	b.bindAddr(bind);
	return b.bind();
}

async function listen(port) {
	const ep = await endpoint(`127.0.0.1:${port}`, true);
	console.log(`id ${ep.id()}`);
	for (;;) {
		const incoming = await ep.acceptNext();
		if (!incoming)
			return;
		const c = await (await incoming.accept()).connect();
		const s = await c.acceptBi();
		for (;;) {
			const chunk = await s.recv.read(65536);
			if (chunk.length === 0)
				break;
			await s.send.writeAll(chunk);
		}
		await s.send.finish();
		await c.closed();
	}
}

async function dial(id, addr, n) {
	const ep = await endpoint('127.0.0.1:0', false);
	const peer = new iroh.EndpointAddr(iroh.EndpointId.fromString(id), null, [addr]);
	const c = await ep.connect(peer, ALPN);
	const s = await c.openBi();
	const sent = Array.from({ length: n }, (_, i) => (i * 7 + (i >> 8)) & 255);
	await s.send.writeAll(sent);
	await s.send.finish();
	const got = await s.recv.readToEnd(n + 1);
	if (got.length !== n || got.some((b, i) => b !== sent[i]))
		throw new Error(`echo differs: ${got.length} bytes`);
	console.log(`same ${n}`);
	c.close(0n, []);
	await ep.close();
}

const [mode, ...rest] = process.argv.slice(2);
(mode === 'listen' ? listen(rest[0]) : dial(rest[0], rest[1], Number(rest[2])))
    .then(() => process.exit(0), (e) => { console.error(String(e)); process.exit(1); });
