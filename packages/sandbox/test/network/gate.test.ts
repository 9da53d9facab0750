import { expect, test } from "vitest";
import { Gate } from "../../src/network/gate.ts";
import { toHost } from "../../src/network/host.ts";
import { checkNetwork, type NetworkOptions, type NetworkRequest } from "../../src/network/options.ts";
import type { Refusal } from "../../src/network/refusal.ts";

/** Answers in the order of a list, and counts the questions. */
function names(...answers: readonly (readonly string[])[]) {
	const asked: string[] = [];
	const resolve = async (name: string) => {
		asked.push(name);
		const answer = answers[Math.min(asked.length, answers.length) - 1];
		if (!answer) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
		return [...answer];
	};
	return { asked, resolve };
}

function gate(options: NetworkOptions, ...answers: readonly (readonly string[])[]) {
	const { asked, resolve } = names(...answers);
	const made = new Gate(checkNetwork(options), resolve);
	const admit = (host: string, port = 443) => made.admit(host, port);
	const refused = async (host: string, port = 443): Promise<Refusal> =>
		admit(host, port).then(
			({ addresses }) => expect.fail(`admitted ${addresses}`),
			(error) => error,
		);
	return { asked, admit, refused };
}

const PUBLIC = "93.184.216.34";

test("a name that is allowed is looked up once, and its addresses are those to connect to", async () => {
	const { admit, asked } = gate({ allow: ["a.example"] }, [PUBLIC, "2606:2800::1"]);
	expect(await admit("a.example")).toEqual({ host: "a.example", port: 443, addresses: [PUBLIC, "2606:2800::1"] });
	expect(asked).toEqual(["a.example"]);
});

test("a name that is not allowed is not looked up: its servers learn nothing", async () => {
	const { refused, asked } = gate({ allow: ["a.example"] }, [PUBLIC]);
	expect(await refused("b.example")).toMatchObject({ status: 403, target: "b.example:443" });
	expect(asked).toEqual([]);
});

test("a name that is first public and then private is refused the second time", async () => {
	const { admit, refused } = gate({ allow: ["a.example"] }, [PUBLIC], ["127.0.0.1"]);
	expect((await admit("a.example")).addresses).toEqual([PUBLIC]);
	expect(await refused("a.example")).toMatchObject({ status: 403, message: expect.stringContaining("not public") });
});

test.each([
	"127.0.0.1",
	"10.0.0.1",
	"169.254.169.254",
	"::1",
	"fe80::1",
	"fe80::1%eth0",
	"::ffff:127.0.0.1",
	"64:ff9b::7f00:1",
	"2002:7f00:1::",
	"fd00::1",
])("a name that leads to %s is refused, unless the address itself is allowed", async (address) => {
	expect(await gate({ allow: ["a.example"] }, [address]).refused("a.example")).toMatchObject({ status: 403 });
	if (address.includes("%")) return;
	const open = gate({ allow: ["a.example:443", `[${address}]:443`.replace(/^\[([\d.]+)\]/, "$1")] }, [address]);
	expect((await open.admit("a.example")).addresses).toEqual([toHost(address)]);
	expect(await open.refused("b.example")).toMatchObject({ status: 403 });
});

test("of several addresses only those that are public or allowed are connected to", async () => {
	const { admit } = gate({ allow: ["a.example", "10.0.0.7:443"] }, ["127.0.0.1", PUBLIC, "10.0.0.7"]);
	expect((await admit("a.example")).addresses).toEqual([PUBLIC, "10.0.0.7"]);
	expect((await admit("a.example", 80)).addresses).toEqual([PUBLIC]);
});

test("an address is allowed by itself alone", async () => {
	const { admit, refused } = gate({ allow: ["10.0.0.7", "a.example"] });
	expect((await admit("10.0.0.7")).addresses).toEqual(["10.0.0.7"]);
	expect(await refused("10.0.0.8")).toMatchObject({ status: 403 });
	expect(await refused(PUBLIC)).toMatchObject({ status: 403 });
});

test("deny wins over allow and ask, for names and for addresses", async () => {
	const rules = { allow: ["*.example", PUBLIC], deny: ["bad.example", PUBLIC, "worse.example:25"], ask: () => true };
	const { admit, refused } = gate(rules, [PUBLIC]);
	expect(await refused("bad.example")).toMatchObject({ status: 403 });
	expect(await refused(PUBLIC)).toMatchObject({ status: 403 });
	expect(await refused("a.example")).toMatchObject({ message: expect.stringContaining("`deny`") });
	expect(await refused("worse.example", 25)).toMatchObject({ status: 403 });
	const other = gate(rules, ["93.184.216.35"]);
	expect((await other.admit("worse.example", 26)).addresses).toEqual(["93.184.216.35"]);
	expect(await admit("x.test").catch(({ status }) => status)).toBe(403);
});

test("ask gets the host, the port, the address, and whether that is private", async () => {
	const requests: NetworkRequest[] = [];
	const ask = (request: NetworkRequest) => {
		requests.push(request);
		return request.host === "yes.example";
	};
	const { admit, refused } = gate({ allow: ["listed.example"], ask }, ["10.0.0.1", PUBLIC], ["10.0.0.2", "10.0.0.3"]);
	expect((await admit("yes.example")).addresses).toEqual([PUBLIC]);
	// A yes to a private address is one for this address alone, also where the name is allowed.
	expect((await admit("yes.example")).addresses).toEqual(["10.0.0.2"]);
	expect(await refused("listed.example")).toMatchObject({ status: 403 });
	expect(await refused("8.8.8.8", 53)).toMatchObject({ status: 403 });
	expect(requests).toEqual([
		{ host: "yes.example", port: 443, address: PUBLIC, private: false },
		{ host: "yes.example", port: 443, address: "10.0.0.2", private: true },
		{ host: "listed.example", port: 443, address: "10.0.0.2", private: true },
		{ host: "8.8.8.8", port: 53, address: "8.8.8.8", private: false },
	]);
});

test("ask is not asked about what is allowed", async () => {
	const { admit } = gate({ allow: ["a.example"], ask: () => expect.fail("asked") }, [PUBLIC]);
	await admit("a.example");
});

test("only true is a yes", async () => {
	for (const answer of [false, undefined, null, 0, 1, "yes", {}]) {
		const { refused } = gate({ ask: (() => answer) as unknown as () => boolean }, [PUBLIC]);
		expect(await refused("a.example")).toMatchObject({ status: 403 });
	}
});

test("requests for one name that come meanwhile are asked once, and look up once", async () => {
	let answer: (yes: boolean) => void = () => {};
	let count = 0;
	const ask = () => {
		count++;
		return new Promise<boolean>((resolve) => {
			answer = resolve;
		});
	};
	const { admit, asked } = gate({ ask }, [PUBLIC], ["10.0.0.1"]);
	const all = [admit("a.example"), admit("a.example"), admit("a.example")];
	while (count === 0) await new Promise(setImmediate);
	answer(true);
	for (const { addresses } of await Promise.all(all)) expect(addresses).toEqual([PUBLIC]);
	expect([count, asked.length]).toEqual([1, 1]);
	const later = admit("a.example");
	while (count === 1) await new Promise(setImmediate);
	answer(false);
	await expect(later).rejects.toMatchObject({ status: 403 });
});

test("an ask that throws is a no, and its error is a warning", async () => {
	const warnings: string[] = [];
	const listen = ({ message }: Error) => void warnings.push(message);
	process.on("warning", listen);
	const ask = async () => {
		throw new Error("no terminal");
	};
	expect(await gate({ ask }, [PUBLIC]).refused("a.example")).toMatchObject({ status: 403 });
	await new Promise(setImmediate);
	process.off("warning", listen);
	expect(warnings).toEqual([expect.stringMatching(/a\.example:443.*no terminal/)]);
});

test("a name that does not exist is 502, and no violation", async () => {
	const { refused } = gate({ allow: ["a.example"] });
	expect(await refused("a.example")).toMatchObject({ status: 502, target: undefined });
});

test("with upstream the other proxy looks names up, and addresses are checked here", async () => {
	const upstream = "http://127.0.0.1:1";
	const { admit, refused, asked } = gate({ upstream, allow: ["a.example"] });
	expect(await admit("a.example")).toEqual({ host: "a.example", port: 443, addresses: [] });
	expect(await refused("b.example")).toMatchObject({ status: 403 });
	expect(await refused("127.0.0.1")).toMatchObject({ status: 403 });
	const requests: NetworkRequest[] = [];
	const asking = gate({ upstream, ask: (request) => requests.push(request) > 0 });
	expect((await asking.admit("b.example")).addresses).toEqual([]);
	expect(requests).toEqual([{ host: "b.example", port: 443, address: undefined, private: false }]);
	expect(asked).toEqual([]);
});

test("the resolver of the host is the usual one", async () => {
	const open = new Gate(checkNetwork({ allow: ["localhost", "127.0.0.1", "::1"] }));
	const { addresses } = await open.admit("localhost", 1);
	expect(addresses.every((address) => ["127.0.0.1", "::1"].includes(address))).toBe(true);
	const closed = new Gate(checkNetwork({ allow: ["localhost"] }));
	await expect(closed.admit("localhost", 1)).rejects.toMatchObject({ status: 403 });
});
