<?php
/**
 * Plugin Name: Test harness
 * Must-use plugin of the test sites. It lets WordPress call loopback, where the service under test listens. It stores mails in a file,
 * runs Action Scheduler and cron only when a test requests it, and loads PHP files of a test into every request
 * (wp-content/injected/*.php).
 */

add_filter( 'action_scheduler_allow_async_request_runner', '__return_false' );

add_filter( 'http_request_host_is_external', static fn( $external, $host ) => $external || in_array( $host, array( '127.0.0.1', 'localhost' ), true ), 10, 2 );
add_filter( 'http_allowed_safe_ports', static fn( $ports, $host, $url ) => array_merge( $ports, in_array( $host, array( '127.0.0.1', 'localhost' ), true ) ? array( (int) parse_url( $url, PHP_URL_PORT ) ) : array() ), 10, 3 );

add_filter(
	'pre_wp_mail',
	static function ( $sent, $mail ) {
		file_put_contents( WP_CONTENT_DIR . '/mails.jsonl', json_encode( $mail, JSON_INVALID_UTF8_SUBSTITUTE ) . "\n", FILE_APPEND | LOCK_EX );
		return true;
	},
	10,
	2
);

foreach ( glob( WP_CONTENT_DIR . '/injected/*.php' ) as $tillsync_injected ) {
	require $tillsync_injected;
}
