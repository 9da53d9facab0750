import { expect, test } from "vitest";
import { checkNetwork, type NetworkOptions } from "../../src/network/options.ts";
import { covers } from "../../src/network/pattern.ts";

function refusal(options: unknown): { name: string; code: string; message: string } {
	try {
		checkNetwork(options as NetworkOptions);
	} catch (error) {
		return error as Error & { code: string };
	}
	throw new Error("the options were taken");
}

test("no options: no host, no port", () => {
	const none = { allow: [], deny: [], ask: undefined, localhost: [], publish: [], upstream: undefined };
	expect(checkNetwork({})).toEqual(none);
});

test.each([
	["example.com", "example.com", 443, true],
	["example.com", "example.com", 1, true],
	["EXAMPLE.com.", "example.com", 443, true],
	["example.com", "www.example.com", 443, false],
	["example.com", "notexample.com", 443, false],
	["*.example.com", "www.example.com", 443, true],
	["*.example.com", "a.b.example.com", 443, true],
	["*.example.com", "example.com", 443, false],
	["*.example.com", "notexample.com", 443, false],
	["*.example.com:443", "a.example.com", 443, true],
	["*.example.com:443", "a.example.com", 80, false],
	["example.com:443", "example.com", 443, true],
	["example.com:443", "example.com", 80, false],
	["bücher.example", "xn--bcher-kva.example", 443, true],
	["10.0.0.1", "10.0.0.1", 5, true],
	["0xa000001", "10.0.0.1", 5, true],
	["::1", "::1", 5, true],
	["[::1]:5", "::1", 5, true],
	["[::1]:5", "::1", 6, false],
	["::ffff:10.0.0.1", "10.0.0.1", 5, true],
	["*.1", "127.0.0.1", 5, false],
] as const)("allow %s, host %s, port %i: %s", (text, host, port, expected) => {
	if (text === "*.1") return expect(refusal({ allow: [text] }).code).toBe("ERR_INVALID_ARG_VALUE");
	const [pattern] = checkNetwork({ allow: [text] }).allow;
	expect(pattern && covers(pattern, host, port)).toBe(expected);
});

test.each([
	"",
	"*",
	"*.",
	"**.example.com",
	"a.*.example.com",
	"https://example.com",
	"example.com/path",
	"user@example.com",
	"exam ple.com",
	"example%2ecom",
	"example.com:0",
	"example.com:65536",
	"example.com:http",
	"*.10.0.0.1",
	"fe80::1%eth0",
	"10.0.0.0/8",
])("%j is no entry of allow or deny", (text) => {
	for (const name of ["allow", "deny"]) {
		const { code, message } = refusal({ [name]: ["example.com", text] });
		expect(code).toBe("ERR_INVALID_ARG_VALUE");
		expect(message).toContain(`"options.network.${name}[1]"`);
	}
});

test("wrong options are refused", () => {
	expect(refusal({ allows: [] }).message).toMatch(/"options.network.allows": did you mean allow/);
	expect(refusal({ allow: "example.com" }).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal({ allow: [7] }).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal({ ask: true }).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal({ localhost: 5432 }).code).toBe("ERR_INVALID_ARG_TYPE");
	for (const port of [0, 65_536, 1.5, -1]) expect(refusal({ localhost: [port] }).code).toBe("ERR_OUT_OF_RANGE");
	expect(refusal({ publish: ["80"] }).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal({ publish: [3000, 3001], localhost: [3001] }).message).toMatch(/publish.*lead back.*3001/);
	expect(refusal({ upstream: 3128 }).code).toBe("ERR_INVALID_ARG_TYPE");
});

test.each([
	"proxy.example",
	"proxy.example:3128",
	"socks5://a:1",
	"http://a/path",
	"http://a/?q",
	"http://u:secret@a/p",
])("%s is no other proxy, and no message has its password", (upstream) => {
	const { code, message } = refusal({ upstream });
	expect(code).toBe("ERR_INVALID_ARG_VALUE");
	expect(message).not.toContain("secret");
});

test("another proxy is a URL or its text", () => {
	expect(checkNetwork({ upstream: "http://user:word@proxy.example:3128" }).upstream?.port).toBe("3128");
	expect(checkNetwork({ upstream: new URL("https://proxy.example") }).upstream?.hostname).toBe("proxy.example");
});

test("the options are copied", () => {
	const options = { allow: ["a.example"], localhost: [1, 1] };
	const rules = checkNetwork(options);
	options.allow.push("b.example");
	expect([rules.allow.length, rules.localhost]).toEqual([1, [1]]);
});
