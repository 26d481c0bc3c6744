<?php
/**
 * The plugin's section of Tools → Site Health → Info.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Service\ServiceApi;

/**
 * Lists facts for support, without token and secret. The service's address and the account are private, so WordPress does not copy them to
 * the clipboard.
 */
final class DebugInfo {

	public function __construct(
		private readonly HealthFacts $health_facts,
		private readonly ServiceApi $service_api
	) {}

	/**
	 * @param mixed $info Sections of WordPress and other plugins.
	 * @return mixed
	 */
	public function with_section( $info = array() ) {
		return is_array( $info ) ? $info + array( 'tillsync-bridge' => $this->section() ) : $info;
	}

	/** @return array<string, mixed> */
	private function section(): array {
		$facts = $this->health_facts->read();
		// Numbers are texts, because WordPress prints an int of 0 as "undefined".
		$fields = array(
			'version'        => array( 'label' => __( 'Version', 'tillsync-bridge' ), 'value' => \Tillsync\Bridge\VERSION ),
			'connected'      => array( 'label' => __( 'Connected', 'tillsync-bridge' ), 'value' => self::yes_or_no( $facts['connected'] ), 'debug' => $facts['connected'] ),
			'url'            => array( 'label' => __( 'Service', 'tillsync-bridge' ), 'value' => $facts['url'], 'private' => true ),
			'service_api'    => array( 'label' => __( 'Version of its messages', 'tillsync-bridge' ), 'value' => (string) $this->service_api->version() ),
			'account_id'     => array( 'label' => __( 'Account', 'tillsync-bridge' ), 'value' => $facts['account_id'], 'private' => true ),
			'token'          => array( 'label' => __( 'Token', 'tillsync-bridge' ), 'value' => $facts['connected'] ? __( 'set, not shown', 'tillsync-bridge' ) : __( 'none', 'tillsync-bridge' ), 'private' => true ),
			'must_choose'    => array( 'label' => __( 'Elsewhere than connected', 'tillsync-bridge' ), 'value' => self::yes_or_no( $facts['must_choose'] ), 'debug' => $facts['must_choose'] ),
			'last_success'   => array( 'label' => __( 'The service last answered', 'tillsync-bridge' ), 'value' => 0 === $facts['last_success'] ? __( 'never', 'tillsync-bridge' ) : gmdate( 'Y-m-d\TH:i:s\Z', $facts['last_success'] ) ),
			'waiting'        => array( 'label' => __( 'Orders not left the shop', 'tillsync-bridge' ), 'value' => (string) $facts['waiting'] ),
			'oldest_waiting' => array( 'label' => __( 'Oldest of them, seconds', 'tillsync-bridge' ), 'value' => (string) $facts['oldest_waiting'] ),
			'sent'           => array( 'label' => __( 'Orders at the service', 'tillsync-bridge' ), 'value' => (string) $facts['sent'] ),
			'failed'         => array( 'label' => __( 'Failed orders', 'tillsync-bridge' ), 'value' => (string) $facts['failed'] ),
			'held'           => array( 'label' => __( 'Orders that wait for a person', 'tillsync-bridge' ), 'value' => (string) $facts['held'] ),
			'missed'         => array( 'label' => __( 'Orders found by the sweep only', 'tillsync-bridge' ), 'value' => (string) $facts['missed'] ),
			'cron'           => array( 'label' => __( 'Cron runs', 'tillsync-bridge' ), 'value' => self::yes_or_no( $facts['cron'] ), 'debug' => $facts['cron'] ),
			'paused'         => array( 'label' => __( 'Paused because', 'tillsync-bridge' ), 'value' => '' !== $facts['paused'] ? $facts['paused'] : ( '' !== $facts['breaker_reason'] ? $facts['breaker_reason'] : '-' ) ),
		);
		return array( 'label' => 'Tillsync Bridge', 'fields' => $fields );
	}

	private static function yes_or_no( bool $value ): string {
		return $value ? __( 'yes', 'tillsync-bridge' ) : __( 'no', 'tillsync-bridge' );
	}
}
