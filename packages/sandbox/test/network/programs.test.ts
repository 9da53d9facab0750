import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isRoot, needs, skipUnless } from "../../../../test/needs.ts";
import { run } from "../../src/index.ts";
import "../attempts.ts"; // it opens what lives as long as the process
import { certify, type Internet, internet } from "./internet.ts";

// SB-12: programs of all kinds reach an allowed name through the proxy, over TLS too, and are refused another one.

const folder = realpathSync(mkdtempSync(join(tmpdir(), "nearfar-programs-")));
const cert = join(folder, "cert");
let world: Internet;
/** Serves the connections to port 22. */
let ssh: (socket: Socket) => void = (socket) => socket.destroy();

const python = "/usr/bin/python3";
const { describe: withPrograms } = needs("the program openssl", "the program python3");

const answers: Record<string, string> = {
	"/hello": "hello",
	"/thing": JSON.stringify({
		name: "thing",
		"dist-tags": { latest: "1.2.3" },
		versions: { "1.2.3": { name: "thing", version: "1.2.3", dist: { tarball: "http://localhost/x.tgz" } } },
	}),
	"/simple/thing/": "<a href='thing-1.2.3.tar.gz'>thing-1.2.3.tar.gz</a>",
};

const answer: RequestListener = ({ url }, response) => {
	const { pathname } = new URL(`http://a${url}`);
	try {
		if (pathname.startsWith("/simple/")) response.setHeader("Content-Type", "text/html"); // pip looks at the type
		response.end(answers[pathname] ?? readFileSync(join(folder, pathname)));
	} catch {
		response.writeHead(404).end();
	}
};

/** Runs a program in the project, and returns what it has written, and the targets that were refused. */
async function program(file: string, args: readonly string[], env: Record<string, string> = {}) {
	const { code, stdout, stderr, violations } = await run(file, args, {
		write: [folder],
		cwd: folder,
		network: { allow: ["allowed.example"], upstream: world.upstream },
		env,
		limits: { time: 25_000 },
	});
	const refused = violations.filter(({ kind }) => kind === "connect").map(({ what }) => what);
	return { code, text: `${stdout}${stderr}`, refused };
}

withPrograms("SB-12", () => {
	beforeAll(async () => {
		chmodSync(folder, 0o755);
		certify(folder);
		world = await internet(answer, folder, (socket) => ssh(socket));
	});

	afterAll(async () => {
		await world[Symbol.asyncDispose]();
		rmSync(folder, { recursive: true });
	});

	needs("the program curl").test("curl", async () => {
		for (const scheme of ["http", "https"]) {
			const all = (host: string) => program("curl", ["-sS", "--cacert", cert, `${scheme}://${host}/hello`]);
			expect(await all("allowed.example")).toEqual({ code: 0, text: "hello", refused: [] });
			const { text, refused } = await all("evil.example");
			expect(text).toMatch(/403|the sandbox refuses/);
			expect(refused).toEqual([`evil.example:${scheme === "http" ? 80 : 443}`]);
		}
		// What ignores the proxy has no route and no resolver.
		for (const target of ["https://allowed.example/hello", "http://192.0.2.1/hello"]) {
			expect((await program("curl", ["-sS", "--noproxy", "*", target])).code).toBe(target.includes("allowed") ? 6 : 7);
		}
		expect(world.seen).not.toContain("evil.example:443");
	});

	test("fetch of Node", async () => {
		skipUnless(
			process.allowedNodeEnvironmentFlags.has("--use-env-proxy"),
			"NODE_USE_ENV_PROXY, of Node 22.21 and 24.5",
		);
		const script =
			"fetch(process.argv[1]).then(async (r) => console.log(r.status, await r.text()), (e) => console.log(e.cause))";
		const fetched = (url: string) => program(process.execPath, ["-e", script, url], { NODE_EXTRA_CA_CERTS: cert });
		skipUnless((await program(process.execPath, ["-e", ""])).code === 0, "a Node that is not below /tmp or the home");
		expect((await fetched("http://allowed.example/hello")).text).toContain("200 hello");
		expect((await fetched("https://allowed.example/hello")).text).toContain("200 hello");
		expect((await fetched("http://evil.example/")).text).toMatch(/403/);
		expect((await fetched("https://evil.example/")).text).toMatch(/403/);
	});

	const git = (...args: string[]) => {
		const { status, stdout, stderr } = spawnSync("git", args, { cwd: folder, encoding: "utf8" });
		expect([args, status, stderr]).toEqual([args, 0, expect.any(String)]);
		return stdout.trim();
	};

	/** Makes a bare repository with one commit, which a server of files can serve. Returns the commit. */
	const repository = (name: string) => {
		git("init", "-q", "--bare", name);
		const user = ["-c", "user.name=a", "-c", "user.email=a@a.example"];
		const tree = git("-C", name, "hash-object", "-wt", "tree", "/dev/null");
		const commit = git("-C", name, ...user, "commit-tree", "-m", "first", tree);
		git("-C", name, "update-ref", "refs/heads/main", commit);
		git("-C", name, "symbolic-ref", "HEAD", "refs/heads/main");
		git("-C", name, "update-server-info");
		return commit;
	};

	needs("the program git").test("git https", async () => {
		const commit = repository("over-https.git");
		const settings = { GIT_TERMINAL_PROMPT: "0", GIT_SSL_CAINFO: cert };
		const cloned = await program("git", ["clone", "-q", "https://allowed.example/over-https.git", "clone"], settings);
		expect(cloned).toMatchObject({ code: 0, refused: [] });
		expect(git("-C", "clone", "rev-parse", "HEAD")).toBe(commit);
		const refused = await program("git", ["ls-remote", "https://evil.example/x.git"], settings);
		expect([refused.text, refused.refused]).toEqual([expect.stringMatching(/403/), ["evil.example:443"]]);
	});

	/** Connects as the option ProxyCommand of ssh wants it, where no nc of OpenBSD is. */
	const proxyCommand = () => {
		writeFileSync(
			join(folder, "through-proxy"),
			`#!${python}
import os, socket, sys, threading, urllib.parse
host, port = sys.argv[1:]
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
s = socket.create_connection((proxy.hostname, proxy.port))
s.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n".encode())
head = b""
while not head.endswith(b"\\r\\n\\r\\n"):
    byte = s.recv(1)
    if not byte: break
    head += byte
if b" 200 " not in head: sys.exit(head.decode())
def outwards():
    while data := os.read(0, 65536): s.sendall(data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=outwards, daemon=True).start()
while data := s.recv(65536): os.write(1, data)
`,
			{ mode: 0o755 },
		);
		return "./through-proxy %h %p";
	};

	needs("the program ssh").test("ssh with a ProxyCommand", async () => {
		const greeting = new Promise<string>((resolve) => {
			ssh = (socket) => {
				socket.write("SSH-2.0-nobody\r\n");
				socket.once("data", (bytes) => {
					resolve(`${bytes}`);
					socket.end();
				});
			};
		});
		const options = ["-o", `ProxyCommand=${proxyCommand()}`, "-o", "BatchMode=yes"];
		expect((await program("ssh", [...options, "allowed.example", "true"])).code).toBe(255);
		expect(await greeting).toMatch(/^SSH-2\.0-OpenSSH/);
		const { text, refused } = await program("ssh", [...options, "evil.example", "true"]);
		expect([text, refused]).toEqual([expect.stringMatching(/403/), ["evil.example:22"]]);
	});

	/** The command of the README. */
	const withNc = "ssh -o ProxyCommand='nc -X connect -x $(basename $HTTP_PROXY) %h %p'";
	const hasNc = / \[?-X/.test(spawnSync("nc", ["-h"], { encoding: "utf8" }).stderr ?? "");

	needs("the program git", "the program ssh", "the program sshd").test("git ssh", async () => {
		// As root sshd(8) needs a user for its other half. As an ordinary user it serves nobody else.
		skipUnless(!isRoot || spawnSync("id", ["sshd"]).status === 0, "a user sshd, which sshd of root needs");
		const commit = repository("over-ssh.git");
		const keys = join(folder, "keys");
		mkdirSync(keys, { mode: 0o755 });
		for (const name of ["host", "user"])
			expect(spawnSync("ssh-keygen", ["-qt", "ed25519", "-N", "", "-f", join(keys, name)]).status).toBe(0);
		const { username } = userInfo();
		const settings = [
			`HostKey ${join(keys, "host")}`,
			`AuthorizedKeysFile ${join(keys, "user.pub")}`,
			...["StrictModes no", "UsePAM no", "PidFile none", "PermitRootLogin yes"],
		];
		writeFileSync(join(keys, "sshd_config"), `${settings.join("\n")}\n`);
		const sshd = spawnSync("sh", ["-c", "command -v sshd"], { encoding: "utf8" }).stdout.trim();
		const ends: Promise<unknown>[] = [];
		ssh = (socket) => {
			const child = spawn(sshd, ["-i", "-e", "-f", join(keys, "sshd_config")], { stdio: ["pipe", "pipe", "ignore"] });
			socket.pipe(child.stdin);
			child.stdout.pipe(socket);
			child.stdin.on("error", () => socket.destroy());
			socket.on("error", () => child.kill());
			ends.push(new Promise((resolve) => child.once("close", resolve)));
		};
		const command = hasNc ? withNc : `ssh -o ProxyCommand='${proxyCommand()}'`;
		const options = `-o StrictHostKeyChecking=no -o IdentityFile=${join(keys, "user")} -o BatchMode=yes`;
		const env = { GIT_SSH_COMMAND: `${command} ${options}` };
		const url = (host: string) => `ssh://${username}@${host}${join(folder, "over-ssh.git")}`;
		const cloned = await program("git", ["clone", "-q", url("allowed.example"), "clone-ssh"], env);
		await Promise.all(ends);
		expect(cloned).toMatchObject({ code: 0, refused: [] });
		expect(git("-C", "clone-ssh", "rev-parse", "HEAD")).toBe(commit);
		const { code, refused } = await program("git", ["ls-remote", url("evil.example")], env);
		expect([code, refused]).toEqual([128, ["evil.example:22"]]);
	});

	test("urllib of Python", async () => {
		const script = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read())";
		const fetched = (url: string) => program(python, ["-c", script, url], { SSL_CERT_FILE: cert });
		expect((await fetched("https://allowed.example/hello")).text).toContain("b'hello'");
		expect((await fetched("https://evil.example/")).text).toMatch(/403/);
	});

	test("pip", async () => {
		skipUnless(spawnSync(python, ["-m", "pip", "--version"]).status === 0, "pip");
		const options = ["--disable-pip-version-check", "--no-cache-dir", "--retries", "0", "--cert", cert];
		const pip = (index: string) =>
			program(python, ["-m", "pip", ...options, "index", "versions", "thing", "--index-url", index]);
		expect((await pip("https://allowed.example/simple/")).text).toContain("1.2.3");
		const { text, refused } = await pip("https://evil.example/simple/");
		expect(text).toMatch(/403|No matching distribution/);
		expect(refused).toContain("evil.example:443");
	});

	needs("the program npm").test("npm", async () => {
		const options = [`--cafile=${cert}`, "--fetch-retries=0", "--no-update-notifier"];
		const npm = (registry: string) =>
			program("npm", ["view", "thing", "version", `--registry=${registry}`, ...options]);
		expect((await npm("https://allowed.example/")).text).toContain("1.2.3");
		const { text, refused } = await npm("https://evil.example/");
		expect([text, refused]).toEqual([expect.stringMatching(/403/), ["evil.example:443"]]);
	});
});
