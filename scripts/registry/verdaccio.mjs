// A registry on loopback, in which nothing is but what a release has put there.
import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { atEnd } from "../ending.mjs";

/** `overrides`: verdaccio-audit names its node-fetch by a dist-tag, and some mirrors of the registry know only `latest`. */
export const verdaccio = { name: "verdaccio", packages: ["verdaccio@6.8.0"], overrides: { "node-fetch": "2.7.0" } };

const PATIENCE = 60_000; // milliseconds

/** Starts verdaccio, which ends with this process, and returns its URL and the path of an .npmrc that leads there. */
export async function startVerdaccio(place, folder) {
	const home = join(place, "verdaccio");
	mkdirSync(home, { recursive: true });
	const url = `http://127.0.0.1:${await freePort()}/`;
	// No uplink: the registry has no package of another one, and every foreign dependency would be missing.
	const rights = { access: "$all", publish: "$all", unpublish: "$all" };
	const config = {
		storage: join(home, "storage"),
		auth: { htpasswd: { file: join(home, "htpasswd"), max_users: -1 } },
		packages: { "@nearfar/*": rights, nearfar: rights },
		max_body_size: "100mb",
		web: { enable: false },
		log: { type: "stdout", format: "pretty", level: "warn" },
	};
	writeFileSync(join(home, "config.yaml"), JSON.stringify(config));
	const log = join(home, "log");
	const command = [join(folder, "node_modules/verdaccio/bin/verdaccio"), "--config", join(home, "config.yaml")];
	const child = spawn(process.execPath, [...command, "--listen", url], {
		stdio: ["ignore", openSync(log, "w"), openSync(log, "a")],
		env: { PATH: process.env.PATH, HOME: home },
	});
	atEnd(() => child.kill());
	let ended = false;
	child.on("exit", () => {
		ended = true;
	});
	const end = performance.now() + PATIENCE;
	while (
		!(await fetch(`${url}-/ping`).then(
			(response) => response.ok,
			() => false,
		))
	) {
		if (ended || performance.now() > end) throw new Error(`verdaccio does not start:\n${readFileSync(log, "utf8")}`);
		await setTimeout(100);
	}
	const npmrc = join(home, "npmrc");
	// npm publishes with some token only, and this registry takes any.
	writeFileSync(npmrc, `registry=${url}\n@nearfar:registry=${url}\n${url.replace("http:", "")}:_authToken=none\n`);
	return { url, npmrc };
}

function freePort() {
	return new Promise((resolve, reject) => {
		const server = createServer().on("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}
