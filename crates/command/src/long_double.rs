//! The 80-bit floating-point numbers of `HINCRBYFLOAT`.
