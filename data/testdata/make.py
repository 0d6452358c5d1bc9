"""Writes the fixtures of NumPy: python3 make.py, in this folder, with NumPy 2.4.6."""
import io
import zipfile

import numpy as np

x = np.arange(12, dtype="float32").reshape(6, 2) / 4 - 1
y = np.array([0, 2, 1, 1, 0, 2])
np.savez("parts.npz", x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])

# Pictures [n, channels, height, width], packed, of which the tests know what NumPy's own transposition makes.
pictures = (np.arange(4 * 3 * 2 * 5) * 7 % 256).astype("uint8").reshape(4, 3, 2, 5)
np.savez_compressed("pictures.npz", images=pictures, labels=np.array([[0], [1], [1], [0]], dtype="uint8"),
                    channels_last=pictures.transpose(0, 2, 3, 1))

# What the README trains on: a bright bar at one of three places of a picture.
bars = np.zeros((18, 8, 8), "uint8")
for i in range(18):
    bars[i, :, 2 * (i % 3):2 * (i % 3) + 3] = 150 + 5 * i
np.savez_compressed("mine.npz", x_train=bars[:12], y_train=np.arange(12) % 3, x_test=bars[12:], y_test=np.arange(12, 18) % 3)

# Every dtype holds the same numbers where it can: 0 1 2 / 3 100 5, negative ones -1 and -100 for 1 and 100 where it has a sign.
plain = np.array([[0, 1, 2], [3, 100, 5]])
signed = np.array([[0, -1, 2], [3, -100, 5]])
arrays = {}
for dtype in ["u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"]:
    arrays["plain " + dtype.replace("<", "little ").replace(">", "big ")] = plain.astype(dtype)
for dtype in ["i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]:
    arrays["signed " + dtype.replace("<", "little ").replace(">", "big ")] = signed.astype(dtype)
arrays["signed fortran f4"] = np.asfortranarray(signed.astype("f4"))
arrays["plain fortran u1"] = np.asfortranarray(plain.astype("u1"))
arrays["half"] = np.array([0, -0.0, 1.5, -65504, 2.0**-24, 2.0**-14, 0.1, np.inf, -np.inf], dtype="f2")
arrays["bool"] = np.array([[False, True, True], [True, False, True]])
cube = np.arange(24, dtype="i2").reshape(2, 3, 4)
arrays["cube"], arrays["cube fortran"] = cube, np.asfortranarray(cube)
np.savez_compressed("dtypes.npz", **arrays)

with zipfile.ZipFile("versions.npz", "w") as z:
    for version in [(1, 0), (2, 0), (3, 0)]:
        b = io.BytesIO()
        np.lib.format.write_array(b, signed.astype("<f8"), version=version)
        z.writestr(f"version {version[0]}.npy", b.getvalue())

np.savez_compressed("refused.npz", objects=np.array([1, "a", None], dtype=object), text=np.array(["a", "bc"]), bytes=np.array([b"a"]),
                    complex=np.array([1j]), fields=np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]), dates=np.array(["2020-01-01"], dtype="M8[D]"),
                    empty=np.zeros((0, 3)), scalar=np.float64(3), long=np.array([1], dtype="longdouble"))
