// Golden ids, tickets and a signature by @number0/iroh; see README.
const { SecretKey, EndpointId, EndpointAddr, EndpointTicket } = require('@number0/iroh');

const out = [
	'# Ids and tickets of iroh 1.x, by the npm package @number0/iroh 1.1.0.',
	'# Written by tests/interop/iroh/vectors.js; do not edit.',
];
const cases = [
	[0x11, null, ['127.0.0.1:4433']],
	[0x01, 'https://relay.example.test', []],
	[0x42, 'http://10.0.0.1:3340/', ['[2001:db8::1]:65535', '192.0.2.7:1', '192.0.2.7:80', '10.1.2.3:200']],
	[0xfe, null, []],
	[0x77, 'https://use1-1.relay.n0.iroh.link./', ['[fe80::1]:443']],
];
for (const [b, relay, addrs] of cases) {
	const sk = SecretKey.fromBytes(Array(32).fill(b));
	const a = new EndpointAddr(sk.public(), relay, addrs);
	const t = EndpointTicket.fromAddr(a);
	out.push('', `seed = ${Buffer.alloc(32, b).toString('hex')}`,
	    `id = ${sk.public().toString()}`);
	out.push(`relay = ${a.relayUrl() ?? '-'}`);
	out.push(`direct = ${a.directAddresses().join(' ') || '-'}`);
	out.push(`ticket = ${t.toString()}`);
	const back = EndpointTicket.fromString(t.toString()).endpointAddr();
	if (!back.id().equals(a.id())) throw new Error('ticket');
}
console.log(out.join('\n'));
