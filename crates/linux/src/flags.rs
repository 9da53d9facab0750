//! Every flag and constant of the kernel that nearfar knows, each written once, in one line.
//!
//! A family is one `flags!` entry. It becomes a Rust type, and a row of [`families`], from which
//! `generate-flags` writes the TypeScript tables. The values are compared with the C headers by
//! `tests/flags.rs`.

mod call_numbers;
mod files;
mod landlock;
mod mount;
mod numbers;
mod process;

pub use call_numbers::*;
pub use files::*;
pub use landlock::*;
pub use mount::*;
pub use numbers::*;
pub use process::*;

/// Whether the members of a family can be combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bits, combined with `|`. JavaScript passes an array of names.
    Bits,
    /// Exclusive numbers. JavaScript passes one name.
    Choice,
}

/// One family of flags, described for the generator and the tests.
#[derive(Debug)]
pub struct Family {
    /// What the family is for.
    pub doc: &'static str,
    /// Whether its members can be combined.
    pub kind: Kind,
    /// The Rust type.
    pub rust: &'static str,
    /// What the names of its C constants start with. Empty when JavaScript uses those names as they are.
    pub prefix: &'static str,
    /// The C header that defines it.
    pub header: &'static str,
    /// The JavaScript table.
    pub table: &'static str,
    /// The TypeScript union of the table's names.
    pub union: &'static str,
    /// Its members.
    pub flags: &'static [Flag],
}

impl Family {
    /// What JavaScript calls `flag`: its Rust name in camelCase, or the C name where there is no prefix.
    #[must_use]
    pub fn js_name(&self, flag: &Flag) -> String {
        if self.prefix.is_empty() {
            return flag.c.to_owned();
        }
        let mut name = String::with_capacity(flag.rust.len());
        let mut after_underscore = false;
        for letter in flag.rust.chars() {
            match letter {
                '_' => after_underscore = true,
                _ if std::mem::take(&mut after_underscore) => name.push(letter),
                _ => name.push(letter.to_ascii_lowercase()),
            }
        }
        name
    }
}

/// One flag, or one member of an exclusive choice.
#[derive(Debug)]
pub struct Flag {
    /// The name in Rust.
    pub rust: &'static str,
    /// The constant in C.
    pub c: &'static str,
    /// What it does, in one sentence that ends with the C constant.
    pub doc: &'static str,
    /// The value on x86_64.
    pub x86_64: u64,
    /// The value on aarch64.
    pub aarch64: u64,
}

impl Flag {
    /// The value on the architecture this is compiled for.
    #[must_use]
    pub const fn value(&self) -> u64 {
        here(self.x86_64, self.aarch64)
    }
}

/// All families, in the order of the generated file.
pub fn families() -> impl Iterator<Item = &'static Family> {
    let all = [mount::FAMILIES, files::FAMILIES, process::FAMILIES, numbers::FAMILIES, landlock::FAMILIES];
    all.into_iter().flatten()
}

const fn here(x86_64: u64, aarch64: u64) -> u64 {
    if cfg!(target_arch = "aarch64") {
        aarch64
    } else {
        x86_64
    }
}

/// Declares families. `bits` makes a `bitflags` type, `choice` a newtype with constants:
///
/// ```text
/// flags! {
///     /// Flags of close_range(2).
///     bits CloseRangeFlags: u32, "CLOSE_RANGE_" in "linux/close_range.h", closeRangeFlags: CloseRangeFlag {
///         UNSHARE = libc::CLOSE_RANGE_UNSHARE, "Stops sharing the descriptor table first";
///     }
/// }
/// ```
///
/// A row is the C constant without its prefix, its value, and what it does. `NAME("C_CONSTANT")` is for
/// a name that is not the kernel's, `= 1, aarch64 2,` for a value that differs between architectures.
macro_rules! flags {
    ($(
        $(#[doc = $doc:literal])+
        $kind:ident $Type:ident: $int:ident, $prefix:literal in $header:literal, $table:ident: $union:ident {
            $($NAME:ident $(($c:literal))? = $value:expr $(, aarch64 $aarch64:expr)?, $says:literal;)+
        }
    )+) => {
        $(flags! { @$kind $(#[doc = $doc])+ $Type: $int {
            $(
                #[doc = concat!($says, " (`", flags!(@c $prefix $NAME $($c)?), "`).")]
                $NAME = super::here($value as u64, flags!(@last $value $(, $aarch64)?) as u64) as $int;
            )+
        } })+

        pub(super) const FAMILIES: &[super::Family] = &[$(super::Family {
            doc: concat!($($doc, "\n"),+),
            kind: flags!(@kind $kind),
            rust: stringify!($Type),
            prefix: $prefix,
            header: $header,
            table: stringify!($table),
            union: stringify!($union),
            flags: &[$(super::Flag {
                rust: stringify!($NAME),
                c: flags!(@c $prefix $NAME $($c)?),
                doc: concat!($says, " (`", flags!(@c $prefix $NAME $($c)?), "`)."),
                x86_64: $value as u64,
                aarch64: flags!(@last $value $(, $aarch64)?) as u64,
            }),+],
        }),+];
    };

    (@bits $(#[doc = $doc:literal])+ $Type:ident: $int:ident {
        $(#[doc = $says:expr] $NAME:ident = $value:expr;)+
    }) => {
        bitflags::bitflags! {
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
            pub struct $Type: $int {
                $(#[doc = $says] const $NAME = $value;)+
                const _ = !0; // bits of a newer kernel are kept
            }
        }
    };
    (@choice $(#[doc = $doc:literal])+ $Type:ident: $int:ident {
        $(#[doc = $says:expr] $NAME:ident = $value:expr;)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $Type(
            /// The kernel's number, known here or not.
            pub $int,
        );

        impl $Type {
            $(#[doc = $says] pub const $NAME: Self = Self($value);)+
        }
    };

    (@kind bits) => { super::Kind::Bits };
    (@kind choice) => { super::Kind::Choice };
    (@c $prefix:literal $NAME:ident) => { concat!($prefix, stringify!($NAME)) };
    (@c $prefix:literal $NAME:ident $c:literal) => { $c };
    (@last $value:expr) => { $value };
    (@last $value:expr, $aarch64:expr) => { $aarch64 };
}
use flags;
