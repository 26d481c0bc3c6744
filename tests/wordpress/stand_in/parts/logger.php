<?php
/** Writes log lines to a file that tests read, one JSON object a line. */

interface WC_Logger_Interface {
	public function log( $level, $message, $context = array() );
}

class WC_Logger implements WC_Logger_Interface {
	public function log( $level, $message, $context = array() ) {
		if ( ! in_array( $level, array( 'emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug' ), true ) ) {
			_doing_it_wrong( __METHOD__, esc_html( "WC_Logger::log was called with an invalid level \"$level\"." ), '3.0' );
		}
		$context = array_map( static fn( $value ) => $value instanceof Throwable ? get_class( $value ) . ': ' . $value->getMessage() : $value, $context );
		file_put_contents( WP_CONTENT_DIR . '/uploads/wc-log.jsonl', wp_json_encode( array( 'level' => $level, 'message' => $message, 'context' => $context ) ) . "\n", FILE_APPEND | LOCK_EX );
	}

	public function __call( $level, $arguments ) {
		$this->log( $level, $arguments[0], $arguments[1] ?? array() );
	}
}

function wc_get_logger() {
	static $logger = null;
	return $logger ?? $logger = new WC_Logger();
}
