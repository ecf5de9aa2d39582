# Compiler and linker flags that this compiler takes. PGIAM_CFLAGS and PGIAM_LDFLAGS are substituted.
AC_DEFUN([PGIAM_TRY_CFLAG], [
  AC_MSG_CHECKING([whether $CC takes $1])
  pgiam_save="$CFLAGS"; CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [PGIAM_CFLAGS="$PGIAM_CFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
  CFLAGS="$pgiam_save"
])

AC_DEFUN([PGIAM_TRY_LDFLAG], [
  AC_MSG_CHECKING([whether the linker takes $1])
  pgiam_save="$LDFLAGS"; LDFLAGS="$LDFLAGS -Werror $1"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()], [PGIAM_LDFLAGS="$PGIAM_LDFLAGS $1"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
  LDFLAGS="$pgiam_save"
])

AC_DEFUN([PGIAM_FLAGS], [
  PGIAM_CFLAGS="-std=gnu11 -fno-strict-aliasing -fno-common"
  PGIAM_LDFLAGS=""
  for flag in -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
    -Wcast-qual -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wswitch -Wimplicit-fallthrough \
    -Wold-style-definition -Wredundant-decls -Wno-missing-field-initializers \
    -Wno-format-nonliteral; do
    PGIAM_TRY_CFLAG([$flag])
  done
  AS_IF([test "x$enable_werror" = xyes], [PGIAM_CFLAGS="$PGIAM_CFLAGS -Werror"])

  pgiam_sanitized=no
  AS_IF([test -n "$enable_sanitizers" && test "x$enable_sanitizers" != xno], [
    pgiam_sanitized=yes
    PGIAM_CFLAGS="$PGIAM_CFLAGS -fsanitize=$enable_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=all"
    PGIAM_LDFLAGS="$PGIAM_LDFLAGS -fsanitize=$enable_sanitizers"
  ])
  AS_IF([test "x$enable_fuzzing" = xyes], [
    pgiam_sanitized=yes
    PGIAM_CFLAGS="$PGIAM_CFLAGS -fsanitize=fuzzer-no-link"
  ])
  AS_IF([test "x$enable_coverage" = xyes], [
    PGIAM_CFLAGS="$PGIAM_CFLAGS --coverage"
    PGIAM_LDFLAGS="$PGIAM_LDFLAGS --coverage"
  ])
  AS_IF([test "x$enable_hardening" != xno], [
    for flag in -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE; do
      PGIAM_TRY_CFLAG([$flag])
    done
    AS_IF([test $pgiam_sanitized = no], [PGIAM_CFLAGS="$PGIAM_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
    for flag in -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack; do
      PGIAM_TRY_LDFLAG([$flag])
    done
  ])
  AC_SUBST([PGIAM_CFLAGS])
  AC_SUBST([PGIAM_LDFLAGS])
])
