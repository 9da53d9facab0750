import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { plan, run, Sandbox, start } from "../../src/index.ts";
import { folder } from "../attempts.ts";
import { connectTo, httpServer, received, tcpServer } from "./servers.ts";

const python = "/usr/bin/python3";
/** A server of one connection inside, which answers with what it gets, and writes "up" when it listens. */
const echo = (port: number, count = 1) =>
	`import socket; s=socket.create_server(("127.0.0.1",${port})); print("up",flush=True)
for i in range(${count}):
  c=s.accept()[0]; c.sendall(b"got "+c.recv(99)); c.close()`;
/** Connects inside to a port of 127.0.0.1, and prints what comes. */
const reads = (port: number) =>
	`import socket; c=socket.create_connection(("127.0.0.1",${port}),5); print(c.makefile().read(), end="")`;

async function freePort(): Promise<number> {
	await using server = await tcpServer(() => {});
	return server.port;
}

/** Sends a word to a connection, and returns what comes back. */
async function ask(socket: Awaited<ReturnType<typeof connectTo>>): Promise<string> {
	socket.end("hello");
	return received(socket);
}

needs("the program python3").describe("ports", () => {
	test("SB-11 a server of a sandbox is reached by connect and by publish, and one of the host by localhost", async () => {
		await using database = await tcpServer((socket) => socket.end("the host's"));
		await using other = await tcpServer((socket) => socket.end("not for the sandbox"));
		await using sandbox = await Sandbox.open({ preset: "closed", network: { localhost: [database.port] } });
		const server = await sandbox.start(python, ["-c", echo(8000, 3)]);
		await once(server.stdout as NodeJS.ReadableStream, "data");
		expect(await ask(await sandbox.connect(8000))).toBe("got hello");
		const published = await sandbox.publish(8000, { hostPort: 0 });
		expect(await ask(await connectTo(published.port))).toBe("got hello");
		await published.close();
		await expect(connectTo(published.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
		await expect(sandbox.connect(8001)).rejects.toMatchObject({ code: "ECONNREFUSED" });
		expect((await sandbox.run(python, ["-c", reads(database.port)])).check().stdout).toBe("the host's");
		expect((await sandbox.run(python, ["-c", reads(other.port)])).stderr).toMatch(/Connection refused/);
		expect(sandbox.guarantees.network).toEqual({
			relaxed: `network leads to port ${database.port} of the host's 127.0.0.1`,
		});
	});

	test("SB-11 connect and publish need no option, and the network is made at their first use", async () => {
		await using sandbox = await Sandbox.open({ preset: "closed" });
		const server = await sandbox.start(python, ["-c", echo(8000, 2)]);
		await once(server.stdout as NodeJS.ReadableStream, "data");
		const [one, two] = await Promise.all([sandbox.connect(8000), sandbox.publish(8000, { hostPort: 0 })]);
		expect(await ask(one)).toBe("got hello");
		expect(await ask(await connectTo(two.port))).toBe("got hello");
		expect(sandbox.guarantees.network).toBe(true);
		expect((await sandbox.run("sh", ["-c", "env | grep -i proxy"])).stdout).toBe("");
	});

	test("SB-11 publish of the options works with run and start, and the port is given up with the command", async () => {
		const port = await freePort();
		const command = await start(python, ["-c", echo(port)], { preset: "closed", network: { publish: [port] } });
		await once(command.stdout as NodeJS.ReadableStream, "data");
		expect(await ask(await connectTo(port))).toBe("got hello");
		expect((await command.result).check().guarantees.network).toEqual({ relaxed: expect.stringContaining(`${port}`) });
		await expect(connectTo(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
		await run("true", [], { preset: "closed", network: { publish: [port] } });
		await expect(connectTo(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
	});

	test("with the network of the host connect and publish are there too", async () => {
		await using server = await tcpServer(async (socket) => socket.end(`got ${await received(socket)}`));
		const six = createServer((socket) => socket.end("six")).listen(0, "::1");
		await once(six, "listening");
		await using sandbox = await Sandbox.open({ preset: "closed", network: "host" });
		const client = await sandbox.connect(server.port);
		client.allowHalfOpen = true;
		expect(await ask(client)).toBe("got hello");
		expect(await text(await sandbox.connect((six.address() as AddressInfo).port))).toBe("six");
		six.close();
		const same = await sandbox.publish(server.port);
		expect(same.port).toBe(server.port);
		await same.close();
		const other = await sandbox.publish(server.port, { hostPort: 0 });
		expect(other.port).not.toBe(server.port);
		expect(await ask(await connectTo(other.port))).toBe("got hello");
		await expect(sandbox.connect(await freePort())).rejects.toMatchObject({ code: "ECONNREFUSED" });
		expect(sandbox.guarantees.network).toEqual({ relaxed: expect.any(String) });
	});
});

test("a port of the host that another program has is an error that names the step, and nothing has run", async () => {
	await using server = await tcpServer(() => {});
	const free = await freePort();
	const options = { preset: "closed", network: { publish: [free, server.port] } } as const;
	for (const open of [() => run("true", [], options), () => start("true", [], options), () => Sandbox.open(options)]) {
		await expect(open()).rejects.toMatchObject({
			name: "SandboxError",
			code: "ERR_NEARFAR_SANDBOX_NETWORK",
			step: `publish ${server.port}`,
			hint: expect.stringContaining("hostPort"),
			cause: expect.objectContaining({ code: "EADDRINUSE" }),
		});
	}
	await expect(connectTo(free)).rejects.toMatchObject({ code: "ECONNREFUSED" });
	await using sandbox = await Sandbox.open({ preset: "closed" });
	await expect(sandbox.publish(server.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("the variables of the proxy are set, unless the caller sets or removes them", async () => {
	const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
	const all = [...names, ...names.map((name) => name.toLowerCase()), "NODE_USE_ENV_PROXY"].sort();
	const variables = async (env: NonNullable<Parameters<typeof run>[2]>["env"]) => {
		const options = { preset: "closed", network: {}, ...(env && { env }) } as const;
		const { stdout } = (await run("env", [], options)).check();
		const found = Object.fromEntries(stdout.split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2)));
		const proxy = all.filter((name) => name in found);
		expect(plan(options).env.filter((name) => all.includes(name))).toEqual(proxy);
		return { proxy, found };
	};
	const { proxy, found } = await variables(undefined);
	expect(proxy).toEqual(all);
	expect(found.HTTPS_PROXY).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
	expect(found.no_proxy).toBe("localhost,127.0.0.1,::1");
	const set = await variables({ HTTP_PROXY: "http://mine", NODE_USE_ENV_PROXY: undefined });
	expect([set.found.HTTP_PROXY, set.found.http_proxy === "http://mine", set.proxy]).toEqual([
		"http://mine",
		false,
		all.filter((name) => name !== "NODE_USE_ENV_PROXY"),
	]);
	process.env.HTTP_PROXY = "http://of.the.host";
	try {
		// The proxy of the host cannot be reached inside, and so a variable that is taken over does not count.
		const { found } = await variables({ inherit: true, set: { NO_PROXY: "" } });
		expect([found.HTTP_PROXY, found.NO_PROXY]).toEqual([expect.stringMatching(/127\.0\.0\.1/), ""]);
	} finally {
		delete process.env.HTTP_PROXY;
	}
});

test("a plan says what the network leads to, as data without a secret", () => {
	const drawn = plan({
		preset: "closed",
		network: {
			allow: ["Example.COM.", "*.example.com:443", "[::1]:80"],
			deny: ["evil.example"],
			ask: () => false,
			localhost: [5432],
			publish: [3000, 3001],
			upstream: "http://user:secret@proxy.example:3128",
		},
	});
	expect(drawn.network).toEqual({
		allow: ["example.com", "*.example.com:443", "[::1]:80"],
		deny: ["evil.example"],
		ask: true,
		localhost: [5432],
		publish: [3000, 3001],
		upstream: "http://proxy.example:3128",
	});
	expect(JSON.parse(JSON.stringify(drawn))).toEqual(drawn);
	expect(JSON.stringify(drawn)).not.toContain("secret");
	expect(plan({ preset: "closed" }).network).toBe("none");
});

test("a wrong network is refused before anything happens", async () => {
	for (const [network, message] of [
		["all", /"options\.network" argument must be "none", "host" or an object/],
		[{ allow: ["a b"] }, /options\.network\.allow\[0\]/],
		[{ allows: [] }, /options\.network.*allow/],
		[{ publish: [0] }, /options\.network\.publish\[0\]/],
		[5, /options\.network/],
	] as const) {
		expect(() => plan({ network: network as never })).toThrow(message);
		await expect(run("true", [], { network: network as never })).rejects.toThrow(message);
	}
});

needs("the program python3").test("what is refused is a violation of the result and of the sandbox", async () => {
	await using server = await httpServer((_, response) => response.end("here"));
	await using sandbox = await Sandbox.open({
		preset: "closed",
		network: { allow: [`127.0.0.1:${server.port}`, "10.0.0.0"], deny: ["evil.example"] },
		env: { NO_PROXY: "", no_proxy: "" },
	});
	const fetch = (url: string) =>
		sandbox.run(python, ["-c", `import urllib.request as u; print(u.urlopen("${url}").read())`]);
	const allowed = await fetch(`http://127.0.0.1:${server.port}/`);
	expect([allowed.stdout, allowed.violations]).toEqual(["b'here'\n", []]);
	const refused = await fetch("http://evil.example/");
	expect(refused.stderr).toMatch(/403/);
	expect(refused.violations).toEqual([{ kind: "connect", what: "evil.example:80", at: expect.any(Number) }]);
	await fetch("https://other.example/");
	const all: string[] = [];
	await sandbox[Symbol.asyncDispose]();
	for await (const { kind, what } of sandbox.violations) all.push(`${kind} ${what}`);
	expect(all).toEqual(["connect evil.example:80", "connect other.example:443"]);
	for (const use of [() => sandbox.connect(80), () => sandbox.publish(80)]) {
		await expect(use()).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_CLOSED" });
	}
});

needs("root", "the program unshare").test(
	"with the network of the host a resolver's file below /run stays readable",
	async () => {
		// As systemd-resolved has it: /run of a sandbox is its own.
		const resolver = [
			...["set -e", "mount -t tmpfs etc /mnt", "cp -a /etc/passwd /etc/group /etc/alternatives /etc/ld.so.cache /mnt"],
			...["ln -s ../run/systemd/resolve/stub-resolv.conf /mnt/resolv.conf", "mount --move /mnt /etc"],
			...["mount -t tmpfs run /run", "mkdir -p /run/systemd/resolve /run/secrets", "echo secret > /run/secrets/a"],
			...["echo nameserver 192.0.2.53 > /run/systemd/resolve/stub-resolv.conf", 'cd "$0"', 'exec "$@"'],
		].join("; ");
		const wrapper = ["unshare", "-m", "sh", "-c", resolver, folder()];
		const script = "cat /etc/resolv.conf; find /run -type f";
		const look = async (network: "host" | "none") => {
			const args = [script, JSON.stringify({ network })];
			return (await runFixture("sandbox/project", { wrapper, args })).report.stdout;
		};
		expect(await look("host")).toBe("nameserver 192.0.2.53\n/run/systemd/resolve/stub-resolv.conf\n");
		expect(await look("none")).toBe("");
	},
);
