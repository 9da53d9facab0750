// Unpacks packages of Debian below target/, without a change of this machine: apt-get runs with folders of its own, and resolves
// dependencies as if nothing were installed. The signatures of the archive are checked by apt-get.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { root } from "../run.mjs";

/** The folder of everything that is fetched or made for machines. */
export const place = join(root, "target/vm");

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const ARCHIVE = "http://deb.debian.org/debian";

const LAST_LINES = 10;

/** The suites of the archive that each release reads. */
const releases = {
	bullseye: ["bullseye"],
	bookworm: ["bookworm"],
	"bookworm-security": ["bookworm", "bookworm-security"],
	trixie: ["trixie"],
	"trixie-backports": ["trixie", "trixie-backports"],
};

/** Updates of security lie in an archive of their own. */
const archiveOf = (suite) => (suite.endsWith("-security") ? `${ARCHIVE}-security` : ARCHIVE);

/** Debian's name of an architecture that Node names. */
export const architectures = { x64: "amd64", arm64: "arm64" };

/** Thrown where a check cannot run, for instance because something cannot be fetched. Such a check has not failed. */
export class UnavailableError extends Error {}

/**
 * Unpacks packages into a folder, unless an earlier run has. A script that is killed leaves no folder of that name.
 *
 * @param {string} name - The name of the folder, to which a hash of the options is added.
 * @param {object} options
 * @param {string} options.release - The release, for instance "bookworm".
 * @param {string} options.arch - The architecture as Node names it.
 * @param {string[]} options.packages - Their names.
 * @param {(name: string) => boolean} [options.keep] - Decides which packages are unpacked. By default these are the named
 *   packages and all on which they depend.
 * @param {(folder: string) => void} [options.prepare] - Adds to the folder before it gets its name.
 * @param {string} [options.parent] - The folder that the new one lies in, by default target/vm.
 * @returns {string} The path of the folder.
 */
export function unpack(name, { release, arch, packages, keep = () => true, prepare = () => {}, parent = place }) {
	const hash = createHash("sha256")
		.update(`${release} ${arch} ${packages} ${keep} ${prepare}`)
		.digest("hex")
		.slice(0, 8);
	const folder = join(parent, `${name}-${hash}`);
	return makeFolder(folder, (partial) => {
		const files = new Apt(release, architectures[arch]).download(packages, keep);
		// As on a machine, /bin, /lib and others are links into /usr, which tar has to keep.
		for (const each of ["bin", "sbin", "lib", "lib64"]) {
			fs.mkdirSync(join(partial, "usr", each), { recursive: true });
			fs.symlinkSync(`usr/${each}`, join(partial, each));
		}
		const script = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --directory "$2"';
		for (const file of files) execute("bash", ["-euo", "pipefail", "-c", script, "bash", file, partial]);
		prepare(partial);
	});
}

/**
 * Unpacks a source package, with Debian's patches applied, unless an earlier run has.
 *
 * @param {string} name - The name of the package.
 * @param {string} release - The release, for instance "bookworm".
 * @returns {string} The path of the folder.
 */
export function unpackSource(name, release) {
	return makeFolder(join(place, `${name}-${release}-source`), (partial) => {
		const files = join(partial, "files");
		fs.mkdirSync(files);
		new Apt(release, architectures[process.arch], "deb-src").downloadSource(name, files);
		const find = (pattern) => join(files, fs.readdirSync(files).find((file) => pattern.test(file)) ?? "missing");
		execute("tar", ["--extract", "--strip-components=1", "--file", find(/\.orig\.tar\./), "--directory", partial]);
		execute("tar", ["--extract", "--file", find(/\.debian\.tar\./), "--directory", partial]);
		const series = join(partial, "debian/patches/series");
		const lines = fs.existsSync(series) ? fs.readFileSync(series, "utf8").split("\n") : [];
		for (const line of lines.filter((text) => text !== "" && !text.startsWith("#"))) {
			execute("patch", ["-p1", "-s", "-i", join(partial, "debian/patches", line)], { cwd: partial });
		}
	});
}

/** Makes a folder by a function, unless it is there. The folder gets its name when the function has returned. */
export function makeFolder(folder, make) {
	if (fs.existsSync(folder)) return folder;
	const partial = `${folder}.partial-${process.pid}`;
	fs.rmSync(partial, { recursive: true, force: true });
	fs.mkdirSync(partial, { recursive: true });
	try {
		make(partial);
		fs.renameSync(partial, folder);
	} catch (error) {
		// Another script may have made the folder in the meantime.
		if (error.code !== "ENOTEMPTY" || !fs.existsSync(folder)) throw error;
	} finally {
		fs.rmSync(partial, { recursive: true, force: true });
	}
	return folder;
}

/** An apt-get with a state of its own, for one release and one architecture. */
class Apt {
	constructor(release, arch, type = "deb") {
		this.release = release;
		this.folder = join(place, "apt", type === "deb" ? `${release}-${arch}` : `${release}-source`);
		this.archives = join(place, "apt/archives");
		for (const name of ["state/lists/partial", "cache"]) fs.mkdirSync(join(this.folder, name), { recursive: true });
		fs.mkdirSync(join(this.archives, "partial"), { recursive: true });
		const options = `[signed-by=${KEYRING} arch=${arch}]`;
		const sources = releases[release].map((part) => `${type} ${options} ${archiveOf(part)} ${part} main\n`);
		fs.writeFileSync(join(this.folder, "sources.list"), sources.join(""));
		fs.writeFileSync(join(this.folder, "status"), "");
		fs.writeFileSync(join(this.folder, "apt.conf"), this.configuration(arch));
	}

	configuration(arch) {
		const settings = {
			"Dir::State": join(this.folder, "state"),
			"Dir::State::status": join(this.folder, "status"),
			"Dir::Cache": join(this.folder, "cache"),
			"Dir::Cache::archives": this.archives,
			"Dir::Etc::SourceList": join(this.folder, "sources.list"),
			"Dir::Etc::SourceParts": "/dev/null",
			"Dir::Etc::Parts": "/dev/null",
			"Dir::Etc::PreferencesParts": "/dev/null",
			"APT::Architecture": arch,
			"APT::Install-Recommends": "false",
			"APT::Sandbox::User": "root",
			"Acquire::Languages": "none",
			"Acquire::GzipIndexes": "true",
			// A mirror that stands still for some weeks serves lists that have expired.
			"Acquire::Check-Valid-Until": "false",
			"Acquire::Retries": "2",
			// Without lists apt-get would go on, and say something else than what is wrong.
			"APT::Update::Error-Mode": "any",
		};
		const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
		return `${lines.join("")}APT::Architectures { "${arch}"; };\n`;
	}

	/** Downloads packages with those on which they depend, and returns the paths of the files to unpack. */
	download(packages, keep) {
		this.#run(["update", "-qq"]);
		const named = packages.map((name) => (this.release.includes("-") ? `${name}/${this.release}` : name));
		const plan = this.#run(["install", "--simulate", "-qq", "-t", this.release, ...named]);
		// A line: Inst name (version Debian:12/stable [amd64])
		const found = [...plan.matchAll(/^Inst (\S+) \((\S+) .*\[(\w+)\]\)/gm)].map(([, name, version, arch]) => ({
			name,
			version,
			file: `${name}_${version.replace(":", "%3a")}_${arch}.deb`,
		}));
		const wanted = found.filter(({ name }) => keep(name));
		if (wanted.length === 0) throw new Error(`Debian ${this.release} has no package ${packages.join(", ")}`);
		const exact = wanted.map(({ name, version }) => `${name}=${version}`);
		this.#run(["download", "-qq", ...exact], this.archives);
		return wanted.map(({ file }) => join(this.archives, file));
	}

	/** Downloads the archives of a source package into a folder. Not each mirror has the file that describes them. */
	downloadSource(name, folder) {
		this.#run(["update", "-qq"]);
		for (const part of ["--tar-only", "--diff-only"])
			this.#run(["source", "--download-only", part, "-qq", name], folder);
	}

	#run(args, cwd = this.folder) {
		// Two scripts at a time would meet the lock of apt-get, which waits for none.
		const command = [join(place, "apt/lock"), "apt-get", ...args];
		return fetchBy("flock", command, { cwd, env: { ...process.env, APT_CONFIG: join(this.folder, "apt.conf") } });
	}
}

/** Runs a program that fetches something, and returns its output. */
export function fetchBy(file, args, options) {
	try {
		return execute(file, args, options);
	} catch (error) {
		throw new UnavailableError(error.message, { cause: error });
	}
}

/** Runs a program and returns its output. */
export function execute(file, args, options = {}) {
	const result = spawnSync(file, args, { encoding: "utf8", maxBuffer: 64 << 20, ...options });
	if (result.error?.code === "ENOENT")
		throw new Error(`${file} is missing: machines are made from Debian's packages on Debian`);
	if (result.error) throw result.error;
	if (result.status !== 0)
		throw new Error(`${file} ${args[0]} failed (${result.signal ?? result.status}): ${lastLines(result.stderr)}`);
	return result.stdout;
}

/** Returns the last lines of what a program has said. cp says for each file that the disk is full. */
function lastLines(output) {
	return String(output).trim().split("\n").slice(-LAST_LINES).join("\n");
}
