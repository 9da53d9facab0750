import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { platforms } from "../platforms.mjs";
import { root, run } from "../run.mjs";
import { distTag, release } from "./flow.mjs";
import { inOrder, readPackages } from "./packages.mjs";
import { packedFaults } from "./packed.mjs";
import { publishAll } from "./publish.mjs";

const VERSION = "0.1.0";
const slices = platforms.map(({ name }) => `@nearfar/core-linux-${name}`);
let tree, registry;

beforeEach(async () => {
	registry = await startRegistry();
	tree = makeTree();
	vi.stubEnv("npm_config_userconfig", join(tree, "../npmrc"));
	fs.writeFileSync(
		process.env.npm_config_userconfig,
		`registry=${registry.url}\n//${registry.host}/:_authToken=none\n`,
	);
	vi.spyOn(console, "log").mockImplementation(() => {});
});

afterEach(async () => {
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
	fs.rmSync(dirname(tree), { recursive: true });
	await registry.close();
});

const releaseTree = (options) =>
	release(tree, { registry: registry.url, wait: 10_000, checkSlice: () => [], build: () => {}, ...options });

test("a release publishes the slices, core and the others in order, makes a tag, and may be repeated", async () => {
	expect(await releaseTree()).toEqual([]);
	const order = ["@nearfar/core", "@nearfar/namespaces", "@nearfar/process"];
	expect(registry.published).toEqual([...slices.toSorted(), ...order]);
	expect(git("tag")).toBe(`v${VERSION}\n`);
	const { versions, "dist-tags": tags } = registry.packages.get("@nearfar/core");
	expect(tags).toEqual({ latest: VERSION });
	expect(versions[VERSION].optionalDependencies).toEqual(Object.fromEntries(slices.map((name) => [name, VERSION])));
	// The order is always that of the manifest. Otherwise the next run would make other bytes of core.
	expect(Object.keys(versions[VERSION].optionalDependencies)).toEqual(slices);

	registry.published.length = 0;
	expect(await releaseTree()).toEqual([]);
	expect(registry.published).toEqual([]);

	write("packages/core/npm/x64-gnu/nearfar-stub", "another byte");
	expect(await releaseTree()).toEqual([
		expect.stringMatching(/core-linux-x64-gnu@0.1.0 .*nearfar-stub.*sha512-.*sha512-/),
	]);
	expect(registry.published).toEqual([]);
}, 180_000);

test("a release in two parts packs first, and then publishes these files without a build and without the slices", async () => {
	const folder = join(tree, "../packed");
	expect(await releaseTree({ packInto: folder })).toEqual([]);
	expect(registry.published).toEqual([]);
	expect(git("tag")).toBe("");

	const never = () => expect.unreachable("the second part builds nothing");
	expect(await releaseTree({ packedIn: folder, build: never, checkSlice: never })).toEqual([]);
	expect(registry.published.length).toBe(slices.length + 3);
	expect(git("tag")).toBe(`v${VERSION}\n`);

	fs.rmSync(join(folder, `nearfar-process-${VERSION}.tgz`));
	await expect(releaseTree({ packedIn: folder })).rejects.toThrow("nearfar-process");
}, 180_000);

test("the second part refuses files of another commit, and files that are cut off", async () => {
	const folder = join(tree, "../packed");
	expect(await releaseTree({ packInto: folder })).toEqual([]);
	commit("another source", () => write("packages/process/src/index.ts", "changed"));
	fs.truncateSync(join(folder, `nearfar-core-linux-x64-gnu-${VERSION}.tgz`), 200);
	const faults = (await releaseTree({ packedIn: folder })).join("\n");
	expect(faults).toMatch(/@nearfar\/process: src\/index.ts in the tarball is not the file of/);
	expect(faults).toMatch(/@nearfar\/core-linux-x64-gnu: .*cannot be read/);
	expect(registry.published).toEqual([]);
	expect(git("tag")).toBe("");
}, 180_000);

test("a prerelease gets the dist-tag next", () => {
	expect(["0.1.0", "1.0.0", "1.0.0-next.3"].map(distTag)).toEqual(["latest", "latest", "next"]);
});

describe("publishing", () => {
	const names = [...slices, "@nearfar/core", "@nearfar/process"];
	const publishPackages = (options) => {
		const tarball = makeTarball("package.tgz", "the same file");
		const packed = readPackages(tree).map((each) => ({ ...each, tarball, integrity: `sha512-of-${each.name}` }));
		const chosen = packed.filter(({ name }) => names.includes(name));
		return publishAll(chosen, {
			registry: registry.url,
			tag: "latest",
			wait: 10_000,
			publish: registry.put,
			...options,
		});
	};

	test("waits with core until the registry shows the slices", async () => {
		registry.hide("@nearfar/core-linux-x64-gnu", 3);
		expect(await publishPackages()).toBeUndefined();
		expect(registry.published.toSorted()).toEqual(names.toSorted());
	});

	test("stops before core if the registry does not show a slice, and goes on in the next run", async () => {
		registry.hide("@nearfar/core-linux-x64-gnu", Infinity);
		expect(await publishPackages({ wait: 0 })).toContain("@nearfar/core-linux-x64-gnu@0.1.0");
		expect(registry.published.toSorted()).toEqual(slices.toSorted());
		registry.hide(undefined);
		expect(await publishPackages()).toBeUndefined();
		expect(registry.published.toSorted()).toEqual(names.toSorted());
	});

	test("goes on after a partial failure, and skips what the registry has", async () => {
		registry.refuse("@nearfar/core");
		expect(await publishPackages()).toContain("@nearfar/core@0.1.0");
		expect(registry.published.toSorted()).toEqual(slices.toSorted());
		registry.refuse(undefined);
		expect(await publishPackages()).toBeUndefined();
		expect(registry.published.toSorted()).toEqual(names.toSorted());
	});

	test("skips a package with another integrity and the same files", async () => {
		registry.forge("@nearfar/core", "the same file");
		expect(await publishPackages()).toBeUndefined();
		registry.published.length = 0;
		expect(await publishPackages()).toBeUndefined();
		expect(registry.published).toEqual([]);
	});

	test("stops if the registry shows another integrity than that of the published package", async () => {
		registry.forge("@nearfar/core-linux-arm64-musl");
		expect(await publishPackages()).toContain("@nearfar/core-linux-arm64-musl@0.1.0");
		expect(registry.published).not.toContain("@nearfar/core");
	});

	test("begins with no package if the registry has the last one with another integrity", async () => {
		registry.forge("@nearfar/process");
		await publishPackages();
		registry.packages.delete("@nearfar/core-linux-x64-gnu");
		registry.published.length = 0;
		expect(await publishPackages()).toContain("@nearfar/process@0.1.0");
		expect(registry.published).toEqual([]);
	});

	const unfit = {
		"a registry that fails": ["fails", /core.* responds with 500/],
		"a registry that ends connections": ["ends", /core.* cannot be read/],
		"a registry that cuts its answers off": ["cuts", /core.* cannot be read/],
		"a registry that says nothing": ["stalls", /core.* cannot be read/],
		"a registry that responds with a page": ["page", /core.* cannot be read/],
		"a registry that responds with null": ["null", /core.* cannot be read/],
	};
	test.each(Object.entries(unfit))("begins with no package on %s, and says which address", async (_, [how, words]) => {
		registry.break(how, Infinity);
		expect(await publishPackages({ patience: 500 })).toMatch(words);
		expect(registry.published).toEqual([]);
	});

	test.each(Object.keys(unfit))("waits for %s, and that does better later", async (name) => {
		const publish = async (each) => {
			await registry.put(each);
			if (each.name.endsWith("x64-gnu")) registry.break(unfit[name][0], 2);
		};
		expect(await publishPackages({ publish, patience: 500 })).toBeUndefined();
		expect(registry.published.toSorted()).toEqual(names.toSorted());
	});

	test("does nothing in a dry run", async () => {
		expect(await publishPackages({ dryRun: true })).toBeUndefined();
		expect(registry.published).toEqual([]);
		expect(console.log).toHaveBeenCalledWith("@nearfar/core@0.1.0: would be published");
	});
});

describe("a release is refused", () => {
	const gates = {
		"a file that is not committed": [() => write("new.txt", ""), "new.txt"],
		"a change that is not committed": [
			() => write("packages/core/src/index.ts", "changed"),
			"packages/core/src/index.ts",
		],
		"another branch than main": [() => git("checkout", "-q", "-b", "other"), "main"],
		"a tag of the version at another commit": [
			() => {
				git("tag", `v${VERSION}`);
				commit("another", () => write("new.txt", ""));
			},
			`v${VERSION}`,
		],
		"a pending changeset": [() => commit("a changeset", () => write(".changeset/new.md", "")), ".changeset/new.md"],
		"a package of another version": [
			() => changeManifest("packages/process", (manifest) => Object.assign(manifest, { version: "0.0.9" })),
			"packages/process",
		],
		"a slice of another version": [
			() => changeManifest("packages/core/npm/x64-musl", (manifest) => Object.assign(manifest, { version: "0.0.9" })),
			"packages/core/npm/x64-musl",
		],
		"a package without a version": [() => makeVersion("0.0.0"), "0.0.0"],
		"a change log without the version": [
			() => commit("no log", () => write("packages/core/CHANGELOG.md", "# core\n")),
			"packages/core/CHANGELOG.md",
		],
		"core that does not name a slice": [
			() =>
				changeManifest("packages/core", ({ optionalDependencies }) => {
					delete optionalDependencies["@nearfar/core-linux-arm64-gnu"];
				}),
			"packages/core/package.json",
		],
		"a slice without executableFiles": [
			() => changeManifest("packages/core/npm/x64-gnu", ({ publishConfig }) => delete publishConfig.executableFiles),
			"packages/core/npm/x64-gnu",
		],
		"an install script": [
			() => changeManifest("packages/process", (manifest) => Object.assign(manifest, { scripts: { install: "true" } })),
			"packages/process",
		],
		"a slice that is missing": [
			() => commit("no slice", () => fs.rmSync(join(tree, "packages/core/npm/x64-gnu"), { recursive: true })),
			"packages/core/npm/x64-gnu",
		],
	};
	test.each(Object.entries(gates))("for %s", async (_, [corrupt, where]) => {
		corrupt();
		expect((await releaseTree()).join("\n")).toContain(where);
		expect(registry.published).toEqual([]);
	});

	test("for a slice that checkSlice refuses", async () => {
		const checkSlice = (folder) => (folder.endsWith("arm64-gnu") ? ["the stub has mode 644"] : []);
		const fault = "packages/core/npm/arm64-gnu: the stub has mode 644";
		expect(await releaseTree({ checkSlice })).toEqual([fault]);
		expect(registry.published).toEqual([]);
	});
});

describe("a tarball has faults", () => {
	const faultsOf = (name, change) => {
		const folder = join(tree, "packages", name);
		const copy = join(tree, "../package");
		const tarball = join(tree, "../package.tgz");
		fs.rmSync(copy, { recursive: true, force: true });
		fs.cpSync(folder, copy, { recursive: true, filter: (file) => !/node_modules|CHANGELOG/.test(file) });
		const manifest = join(copy, "package.json");
		fs.writeFileSync(manifest, fs.readFileSync(manifest, "utf8").replaceAll("workspace:*", VERSION));
		const isSlice = name.startsWith("core/npm/");
		if (isSlice) fs.chmodSync(join(copy, "nearfar-stub"), 0o755);
		change(copy);
		run("tar", ["-czf", tarball, ...list(copy)], { cwd: join(tree, "..") });
		return packedFaults({ folder, isSlice, name, tarball }, VERSION).join("\n");
	};
	const depend = (dependencies) => (copy) =>
		fs.writeFileSync(join(copy, "package.json"), JSON.stringify({ version: VERSION, dependencies }));

	test("but not if nothing was changed", () => {
		expect(faultsOf("core/npm/x64-gnu", () => {})).toBe("");
		expect(faultsOf("process", () => {})).toBe("");
	});
	test.each([
		[
			"its stub is not executable",
			"core/npm/x64-gnu",
			(copy) => fs.chmodSync(join(copy, "nearfar-stub"), 0o644),
			"755",
		],
		[
			"a byte differs",
			"core/npm/x64-gnu",
			(copy) => fs.appendFileSync(join(copy, "nearfar-stub"), "!"),
			"nearfar-stub",
		],
		[
			"the addon is missing",
			"core/npm/x64-gnu",
			(copy) => fs.rmSync(join(copy, "nearfar.linux-x64-gnu.node")),
			"x64-gnu.node",
		],
		["a declaration is missing", "process", (copy) => fs.rmSync(join(copy, "dist/index.d.ts")), "dist/index.d.ts"],
		["a file has no source", "process", (copy) => fs.writeFileSync(join(copy, "dist/old.d.ts"), ""), "dist/old.d.ts"],
		["a dependency has no exact version", "process", depend({ "@nearfar/core": "workspace:*" }), "workspace:*"],
		["a dependency is foreign", "process", depend({ foreign: VERSION }), "foreign"],
	])("if %s", (_, name, change, where) => {
		expect(faultsOf(name, change)).toContain(where);
	});
});

test("the packages of this tree have an order, which begins with the slices and core", () => {
	const [first, second, ...others] = inOrder(readPackages(root)).map((step) => step.map(({ name }) => name));
	expect(first.toSorted()).toEqual(slices.toSorted());
	expect(second).toEqual(["@nearfar/core"]);
	expect(others.flat()).toContain("@nearfar/process");
});

describe("release.mjs publishes nowhere without being told", () => {
	// Should the script take one of these for an order, npm finds no registry and no credentials in this .npmrc.
	const command = (args, env = {}) =>
		spawnSync(process.execPath, [join(root, "scripts/release.mjs"), ...args], {
			cwd: tree,
			env: { PATH: process.env.PATH, npm_config_userconfig: process.env.npm_config_userconfig, ...env },
		}).status;
	test.each([
		["no option", []],
		["npm's own registry", ["--registry", "https://registry.npmjs.org/"]],
		["npm's own registry, as DNS writes its name", ["--registry", "https://registry.npmjs.org./"]],
		["another name of npm's own registry", ["--registry", "https://registry.yarnpkg.com/"]],
		["a registry of a company", ["--registry", "https://npm.example/"]],
		["a registry that is no URL", ["--registry", "somewhere"]],
		["an option that does not exist", ["--publish"]],
		["an argument", ["somewhere"]],
	])("%s", (_, args) => {
		expect(command(args)).toBe(2);
	});
	test("a workflow without an id token", () => {
		expect(command([], { GITHUB_ACTIONS: "true" })).toBe(2);
	});
});

/** Makes a repository with the slices and three packages, which have a release to make. */
function makeTree() {
	tree = join(fs.mkdtempSync(join(tmpdir(), "nearfar-release-test-")), "tree");
	write("pnpm-workspace.yaml", "packages:\n  - packages/*\n  - packages/core/npm/*\n");
	write("package.json", JSON.stringify({ name: "tree", private: true }));
	write(".changeset/config.json", "{}");
	write(".gitignore", "dist\nnode_modules\nnearfar-stub\n*.node\n");
	for (const { name } of platforms) {
		const folder = `packages/core/npm/${name}`;
		const binaries = [`nearfar.linux-${name}.node`, "nearfar-stub"];
		for (const file of [...binaries, "LICENSE", "README.md", "THIRD-PARTY.md"]) write(`${folder}/${file}`, file);
		const executableFiles = ["./nearfar-stub"];
		makeManifest(folder, {
			name: `@nearfar/core-linux-${name}`,
			files: [...binaries, "THIRD-PARTY.md"],
			publishConfig: { access: "public", executableFiles },
		});
	}
	makePackage("core", { optionalDependencies: Object.fromEntries(slices.map((name) => [name, "workspace:*"])) });
	for (const file of ["dist/internal.js", "dist/internal.js.map", "native/binding.d.ts"])
		write(`packages/core/${file}`, file);
	// By its name "namespaces" would come before "process", and by its dependencies, too.
	makePackage("process", { dependencies: { "@nearfar/core": "workspace:*", "@nearfar/namespaces": "workspace:*" } });
	makePackage("namespaces", { dependencies: { "@nearfar/core": "workspace:*" } });
	git("init", "-q", "-b", "main");
	makeVersion(VERSION);
	return tree;
}

function makePackage(name, dependencies) {
	const folder = `packages/${name}`;
	const built = ["dist/index.js", "dist/index.js.map", "dist/index.d.ts", "dist/index.d.ts.map"];
	for (const file of ["LICENSE", "README.md", "src/index.ts", ...built]) write(`${folder}/${file}`, file);
	const files = ["dist", "src", ...(name === "core" ? ["native/binding.d.ts"] : [])];
	const modules = ["index", ...(name === "core" ? ["internal"] : [])];
	const exports = Object.fromEntries(modules.map((each) => [`./${each}`, { default: `./dist/${each}.js` }]));
	makeManifest(folder, {
		name: `@nearfar/${name}`,
		files,
		exports,
		publishConfig: { access: "public" },
		...dependencies,
	});
	for (const other of Object.keys({ ...dependencies.dependencies, ...dependencies.optionalDependencies })) {
		const link = join(tree, folder, "node_modules", other);
		const slice = /^@nearfar\/core-linux-(.*)$/.exec(other)?.[1];
		fs.mkdirSync(dirname(link), { recursive: true });
		fs.symlinkSync(join(tree, "packages", slice ? `core/npm/${slice}` : other.split("/")[1]), link);
	}
}

function makeManifest(folder, manifest) {
	write(`${folder}/package.json`, JSON.stringify({ version: "0.0.0", ...manifest }));
}

/** Gives all packages a version, as `changeset version` does, and commits that. */
function makeVersion(version) {
	commit("version", () => {
		for (const { folder, manifest } of readPackages(tree)) {
			fs.writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, version }));
			fs.writeFileSync(join(folder, "CHANGELOG.md"), `# ${manifest.name}\n\n## ${version}\n`);
		}
	});
}

function changeManifest(folder, change) {
	const file = join(tree, folder, "package.json");
	const manifest = JSON.parse(fs.readFileSync(file, "utf8"));
	change(manifest);
	commit("manifest", () => fs.writeFileSync(file, JSON.stringify(manifest)));
}

function write(file, text) {
	fs.mkdirSync(dirname(join(tree, file)), { recursive: true });
	fs.writeFileSync(join(tree, file), text);
}

function commit(message, change) {
	change();
	git("add", "--all");
	git("-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "commit", "-qm", message);
}

/** Packs one file, and returns the path of the tarball. */
function makeTarball(name, text) {
	fs.mkdirSync(join(tree, "../package"), { recursive: true });
	fs.writeFileSync(join(tree, "../package/file"), text);
	run("tar", ["-czf", name, "package/file"], { cwd: join(tree, "..") });
	return join(tree, "..", name);
}

/** Returns the files of a folder, as tar takes them. */
function list(folder) {
	const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
	return entries
		.filter((entry) => entry.isFile())
		.map((entry) => relative(dirname(folder), join(entry.parentPath ?? entry.path, entry.name)));
}

function git(...args) {
	return run("git", args, { cwd: tree });
}

/** What a registry may do in the place of an answer. */
const answers = {
	fails: (_, response) => response.writeHead(500).end("{}"),
	ends: (request) => request.socket.destroy(),
	cuts: (_, response) => response.end('{"versions":{"0.1'),
	stalls: () => {},
	page: (_, response) => response.end("<html>"),
	null: (_, response) => response.end("null"),
};

/** Starts a registry on loopback, which can hide, refuse and forge packages. */
async function startRegistry() {
	const packages = new Map();
	const published = [];
	let refused, forged, hidden, broken;
	let looks = 0;
	const put = (name, packument) => {
		packages.set(name, packument);
		published.push(name);
	};
	const server = createServer(async (request, response) => {
		const name = decodeURIComponent(request.url.slice(1));
		if (broken && request.method === "GET" && broken.times-- > 0) return answers[broken.how](request, response);
		const send = (status, value) => response.writeHead(status).end(JSON.stringify(value));
		if (request.method === "PUT") {
			put(name, JSON.parse(Buffer.concat(await request.toArray()).toString()));
			return send(201, {});
		}
		const [, of] = /^(?:tarball\/)?(.*?)(?:\/-\/.*)?$/.exec(name);
		if (of !== name) return response.end(Buffer.from(Object.values(packages.get(of)._attachments)[0].data, "base64"));
		const isHidden = packages.has(name) && hidden?.name === name && looks++ < hidden.times;
		if (isHidden || !packages.has(name)) return send(404, {});
		return send(200, packages.get(name));
	});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
	const host = `127.0.0.1:${server.address().port}`;
	return {
		host,
		url: `http://${host}/`,
		packages,
		published,
		hide: (name, times) => {
			hidden = { name, times };
			looks = 0;
		},
		/** Has the registry answer the next requests in a wrong way, which is a name in `answers`. */
		break: (how, times) => {
			broken = { how, times };
		},
		refuse: (name) => {
			refused = name;
		},
		/** Has the registry show other files, or another integrity, than those of a package that comes. */
		forge: (name, text = "another file") => {
			forged = { name, tarball: fs.readFileSync(makeTarball("forged.tgz", text)) };
		},
		/** Stands in for `publishTarball`. */
		put: async ({ name, version, integrity: own, tarball: file }) => {
			if (name === refused) return "refused by the test";
			const isForged = forged?.name === name;
			const integrity = isForged ? "sha512-of-other-bytes" : own;
			const tarball = `http://${host}/tarball/${name}`;
			const data = (isForged ? forged.tarball : fs.readFileSync(file)).toString("base64");
			put(name, { versions: { [version]: { dist: { integrity, tarball } } }, _attachments: { file: { data } } });
		},
		close: () => {
			server.closeAllConnections();
			return new Promise((resolve) => server.close(resolve));
		},
	};
}
