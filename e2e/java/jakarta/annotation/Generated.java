package jakarta.annotation;

/** As in jakarta.annotation-api. */
public @interface Generated {
    String[] value();

    String date() default "";

    String comments() default "";
}
