# One Cox fit, and many on resampled rows, by R's survival package: coxph as its users call it, and its bare core
# coxph.fit. Called as: Rscript survival_engines.R coxph|core one|many FOLDER REPEAT REPORT COEFFICIENTS
# The report is JSON, the coefficients plain 8-byte reals, row after row; input as survival_data.py writes it.
suppressPackageStartupMessages(library(survival))
told <- commandArgs(trailingOnly = TRUE)
engine <- told[1]; task <- told[2]; folder <- told[3]; times <- as.integer(told[4])

about <- readLines(file.path(folder, "about.json"), warn = FALSE)
number <- function(name) as.numeric(sub(paste0('.*"', name, '": ([0-9]+).*'), "\\1", about))
n <- number("n"); p <- number("covariates"); wanted <- number("draws")
columns <- matrix(readBin(file.path(folder, "rows.f64"), "double", n * (p + 2)), nrow = n)
days <- columns[, 1]; died <- columns[, 2]; x <- columns[, -(1:2), drop = FALSE]
draws <- matrix(readBin(file.path(folder, "draws.i32"), "integer", wanted * n), ncol = n, byrow = TRUE) + 1L

control <- coxph.control()
fitted <- function(rows) {
  y <- Surv(days[rows], died[rows])
  if (engine == "core") {
    found <- coxph.fit(x[rows, , drop = FALSE], y, NULL, NULL, NULL, control, NULL, "efron", NULL)$coefficients
  } else {
    covariates <- x[rows, , drop = FALSE]
    found <- coxph(y ~ covariates)$coefficients
  }
  unname(found)
}
everybody <- seq_len(n)
work <- if (task == "one") function() fitted(everybody) else function() t(apply(draws, 1, fitted))

invisible(fitted(seq_len(min(n, 400))))
seconds <- numeric(times)
for (k in seq_len(times)) {
  start <- proc.time()[["elapsed"]]
  # proc.time counts milliseconds: short work is done over and over until it can be measured
  done <- 0
  repeat {
    coefficients <- work(); done <- done + 1
    passed <- proc.time()[["elapsed"]] - start
    if (passed > 0.3 || task == "many") break
  }
  seconds[k] <- passed / done
}
writeBin(as.vector(t(coefficients)), told[6])
writeLines(sprintf('{"seconds": [%s], "version": "R %s, survival %s"}', paste(format(seconds, digits = 12), collapse = ", "),
                   getRversion(), packageVersion("survival")), told[5])
