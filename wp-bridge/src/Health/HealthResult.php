<?php
/**
 * A result of Site Health.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Screens\SettingsIntegration;

/** Builds a result in WordPress's form. */
final class HealthResult {

	/**
	 * @param string $name   Name of the test without the plugin's prefix.
	 * @param string $status good, recommended or critical.
	 * @param string $text   Plain text.
	 * @return array<string, mixed>
	 */
	public static function of( string $name, string $status, string $label, string $text ): array {
		return array(
			'label'       => $label,
			'status'      => $status,
			'badge'       => array( 'label' => __( 'Till sync', 'tillsync-bridge' ), 'color' => 'blue' ),
			'description' => '<p>' . esc_html( $text ) . '</p>',
			'actions'     => 'good' === $status ? '' : sprintf( '<p><a href="%s">%s</a></p>', esc_url( SettingsIntegration::url() ), esc_html__( 'Settings of Tillsync', 'tillsync-bridge' ) ),
			'test'        => "tillsync_{$name}",
		);
	}
}
