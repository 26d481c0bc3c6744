<?php
/** Unit tests run the plugin's classes without WordPress. The functions of WordPress below return their argument. */

declare( strict_types=1 );

defined( 'ABSPATH' ) || define( 'ABSPATH', '/nowhere/' );
foreach ( array( 'MINUTE_IN_SECONDS' => 60, 'HOUR_IN_SECONDS' => 3600, 'DAY_IN_SECONDS' => 86400 ) as $tillsync_name => $tillsync_seconds ) {
	defined( $tillsync_name ) || define( $tillsync_name, $tillsync_seconds );
}

function __( string $text, string $domain = 'default' ): string {
	return $text;
}

function _n( string $one, string $many, int $number, string $domain = 'default' ): string {
	return 1 === $number ? $one : $many;
}

function apply_filters( string $hook, $value ) {
	return $value;
}

function wp_json_encode( $value, int $flags = 0, int $depth = 512 ) {
	return json_encode( $value, $flags, $depth );
}

require getenv( 'TILLSYNC_BRIDGE_DIR' ) . '/src/autoload.php';
