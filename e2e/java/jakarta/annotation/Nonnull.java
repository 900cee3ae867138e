package jakarta.annotation;

/** As in jakarta.annotation-api. */
public @interface Nonnull {}
